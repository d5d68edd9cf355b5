/** Decodes percent-encoding (RFC 3986, 2.1); malformed parts stay unchanged. */
export function percentDecoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/giu, (run) => {
    const bytes = run
      .slice(1)
      .split("%")
      .map((hex) => Number.parseInt(hex, 16));
    return new TextDecoder().decode(Uint8Array.from(bytes));
  });
}
