/** A copy of the object that lacks one field. */
export function without(object: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([other]) => other !== name));
}
