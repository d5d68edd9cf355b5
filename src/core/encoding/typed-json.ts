import { fromHex, toHex } from "./bytes.ts";

/** Types that JSON lacks are written as an object with one field of these names. */
const [SET, MAP, BYTES] = ["$set", "$map", "$bytes"] as const;

/**
 * Plain data as JSON, sets, maps and bytes in it as well. No object in it may have a field that is named
 * like one of those above.
 */
export function toTypedJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part instanceof Set) return { [SET]: [...part] };
    if (part instanceof Map) return { [MAP]: [...part] };
    if (part instanceof Uint8Array) return { [BYTES]: toHex(part) };
    return part;
  });
}

/**
 * @param text as {@link toTypedJson} wrote it
 * @throws SyntaxError where it is not JSON
 */
export function fromTypedJson(text: string): unknown {
  return JSON.parse(text, (_, part: unknown) => {
    if (typeof part !== "object" || part === null) return part;
    if (SET in part) return new Set(part[SET] as unknown[]);
    if (MAP in part) return new Map(part[MAP] as [unknown, unknown][]);
    if (BYTES in part) return fromHex(part[BYTES] as string);
    return part;
  });
}
