export const HELP = `atcr-verify - has somebody this node trusts signed exactly this image?

Usage:
  atcr-verify verify NAME@DIGEST [options]   judge one image
  atcr-verify identity DID-or-HANDLE         who this is and has been, and how that is known
  atcr-verify state show [DID] | forget DID  what this node remembers of signers
  atcr-verify --help | --version

As a containerd image verifier it is run through a link in bin_dir, with -name,
-digest and -stdin-media-type and a descriptor on standard input.

Options of verify:
  --policy FILE          trust policy (default: the configuration's trustPolicyPath,
                         /etc/atcr-verify/trust-policy.yaml)
  --config FILE          configuration (default: $ATCR_VERIFY_CONFIG, else
                         /etc/atcr-verify/config.yaml if it exists)
  --output text|json     form of the answer
  --media-type TYPE      media type of the manifest, to compare with the record
  --save-evidence FILE   write what was gathered, for --bundle
  --offline --bundle FILE  judge saved evidence; no network is used
  --at TIME              with --offline: judge as of this time (RFC 3339)

Exit status:
  0 allow   1 deny   2 inconclusive: could not tell   3 misconfigured   4 internal error
`;
