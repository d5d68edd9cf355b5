/**
 * Whether these arguments are containerd's: a long flag with a single dash comes first, or there are
 * none and somebody pipes the question in (spec 1.1).
 */
export function isContainerdDoor(args: readonly string[], stdinIsTerminal: () => boolean): boolean {
  const [first] = args;
  return first === undefined ? !stdinIsTerminal() : /^-[A-Za-z][^=]/.test(first);
}
