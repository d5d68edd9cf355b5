/** Text that may be attacker-controlled, as it may be printed: printable ASCII, everything else becomes `?`. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, "?");
}
