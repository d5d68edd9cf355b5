/**
 * Looks up all addresses of a host name.
 *
 * @param host a name, not an IP literal; may be attacker-controlled (a PDS's host)
 * @returns addresses as text, in the order the system prefers; attacker-controlled
 * @throws an error with a `code` where the name has no address or no server answers
 */
export type Resolver = (host: string) => Promise<readonly string[]>;

/** Settles as `work` does, or rejects with the signal's reason when it aborts first. */
export function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}

/**
 * Alternates the address families, beginning with that of the first address (RFC 8305, section 4): if one family is
 * broken, the second address tried is of the other.
 */
export function interleaveFamilies(addresses: readonly string[]): readonly string[] {
  const isV6 = (address: string): boolean => address.includes(":");
  const first = addresses.filter((address) => isV6(address) === isV6(addresses[0] ?? ""));
  const second = addresses.filter((address) => !first.includes(address));
  return first.flatMap((address, i) => [address, ...second.slice(i, i + 1)]).concat(second.slice(first.length));
}
