import { CONFIG, type CommandEntries, INTERNAL_ERROR, MISCONFIGURED } from "./command.ts";

/** Commands that answer the questions of other programs until they are ended. */
export const SERVICE_COMMANDS = {
  lookaside: {
    summary: "tell podman, CRI-O and skopeo which images to pull",
    details:
      "It listens on the loopback address lookaside.listen of the configuration and runs until it is ended. What the trust policy allows it signs with a key of this node, which it makes at its first start; policy.json names the public half. It signs no audited, stale or imported evidence and ignores break-glass.",
    linuxOnly: true,
    operands: [],
    options: {
      config: CONFIG,
      "new-key": {
        kind: "flag",
        summary: "make a new key in place of the old one, whose signatures no longer count, and end",
      },
    },
    statuses: { 0: "ended by a signal, or a key was made", 3: MISCONFIGURED, 4: INTERNAL_ERROR },
    examples: [
      { shows: "as its systemd unit does", line: "atcr-verify lookaside --config /etc/atcr-verify/config.yaml" },
      {
        shows: "after the node's key may have leaked, by the user whose key it is",
        line: "sudo runuser -u atcr-verify-lookaside -- atcr-verify lookaside --new-key",
      },
    ],
  },
  serve: {
    summary: "tell clusters and pipelines which images may run",
    details:
      "It listens where the section server of the configuration says, answers by the same policy and evidence as at a pull, and runs until it is ended. Each decision is a line of JSON on standard output. Policies, tokens and certificates are read again when they change; one that is broken leaves the last good one in force. Evidence is kept in memory, and the history of signers in stateDir.",
    linuxOnly: true,
    operands: [],
    options: { config: CONFIG },
    statuses: { 0: "ended by a signal", 3: MISCONFIGURED, 4: INTERNAL_ERROR },
    examples: [
      {
        shows: "in a container, with a mounted configuration",
        line: "atcr-verify serve --config /etc/atcr-verify/config.yaml",
      },
    ],
  },
} as const satisfies CommandEntries;
