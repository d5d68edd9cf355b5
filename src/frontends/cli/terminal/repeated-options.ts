/** What a shell takes as it is. */
const PLAIN = /^[\w@%+=:,./-]+$/;
/** Commands for containerd's gate that advice names, with the flags that it gives them. */
const ADVISED = /atcr-verify (?:enable|disable|doctor)(?: --(?:probe|print-config))?(?! --containers)(?=$|[,;`. ])/g;

/** Options by which a command was told what to look at. */
export interface Given {
  readonly address?: string | undefined;
  readonly "containerd-config"?: string | undefined;
  readonly config?: string | undefined;
}

/** Adds the options that were given to the commands in an advice, so that they look at the same containerd and files. Pure. */
export function repeated(advice: string, given: Given): string {
  const names = ["address", "containerd-config", "config"] as const;
  const options = names.flatMap((name) => {
    const value = given[name];
    return value === undefined ? [] : [` --${name} ${PLAIN.test(value) ? value : quoted(value)}`];
  });
  return options.length === 0 ? advice : advice.replace(ADVISED, (command) => `${command}${options.join("")}`);
}

/** The findings, with {@link repeated} options. */
export function withGiven<F extends { readonly advice?: string }>(findings: readonly F[], given: Given): readonly F[] {
  return findings.map((finding) =>
    finding.advice === undefined ? finding : { ...finding, advice: repeated(finding.advice, given) },
  );
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
