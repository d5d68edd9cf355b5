/**
 * Whether these arguments are containerd's: a long flag with a single dash comes first, or there are
 * none and somebody pipes the question in (spec 1.1).
 */
export async function isContainerdDoor(
  args: readonly string[],
  stdinIsTerminal: () => Promise<boolean>,
): Promise<boolean> {
  const [first] = args;
  return first === undefined ? !(await stdinIsTerminal()) : /^-[A-Za-z][^=]/.test(first);
}
