/** Makes attacker-controlled text safe to print: everything but printable ASCII becomes `?`. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, "?");
}
