/** did:plc or did:web in canonical form. */
export type Did = `did:plc:${string}` | `did:web:${string}`;
