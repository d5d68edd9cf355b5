/** Cap on an operation log or a DID document in bytes (spec 4). */
export const MAX_IDENTITY = 512 * 1024;
