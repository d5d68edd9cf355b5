/** Makes attacker-controlled text safe to print: everything but printable ASCII becomes `?`. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, "?");
}

/**
 * The text without `::` and `##`, which GitHub's runner takes for commands in a log (`::add-mask::`, `##[group]`). An IPv6
 * address in brackets stays as it is: no command begins like that.
 */
export function withoutCommands(text: string): string {
  return text.replace(
    /(\[[0-9a-f:.]+\])|::+|##+/gi,
    (found, address: string | undefined) => address ?? found.split("").join(" "),
  );
}
