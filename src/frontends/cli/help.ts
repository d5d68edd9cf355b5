export const HELP = `atcr-verify - has somebody this node trusts signed exactly this image?

Usage:
  atcr-verify verify NAME@DIGEST [options]   judge one image
  atcr-verify policy check [FILE] [options]  what is wrong, or likely to be, with a policy
  atcr-verify policy explain IMAGE           which rule applies, and what it asks for; no network
  atcr-verify policy test FILE               does the policy do what these cases expect?
  atcr-verify policy schema                  the JSON Schema of a policy, for editors
  atcr-verify identity DID-or-HANDLE         who this is and has been, and how that is known
  atcr-verify state show [DID] | forget DID  what this node remembers of signers
  atcr-verify cache list | show DIGEST | clear [DIGEST | DID]
                                             evidence that is judged again without asking
  atcr-verify enable [options]               have containerd ask this program at each pull
  atcr-verify disable [options]              not any more
  atcr-verify doctor [--probe] [options]     do pulls on this node pass through this program?
  atcr-verify selftest                       does this program judge known evidence as it must?
  atcr-verify images [options]               what of this node's images would be refused now
  atcr-verify log [options]                  what was decided at pulls, the latest last
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
  --no-cache             ask, whatever is cached
  --offline --bundle FILE  judge saved evidence; no network is used
  --at TIME              with --offline: judge as of this time (RFC 3339)
  --allow-audited        exit with 0 also where the image is only audited

Options of policy (--config and --output as above; explain and test take --policy too):
  --strict               warnings count as errors
  --offline              ask nobody: no identity of a signer is looked at
  --sandbox-image NAME   the image that pods start with (default: as containerd's
                         configuration names it)
  --no-sandbox           not for Kubernetes nodes

Options of identity (and --config, --output as above):
  --min-key-age AGE      say whether the key is younger than this (default: 72h)

Options of enable, disable and doctor (and --config, --output as above):
  --bin-dir DIR          of enable and disable: instead of containerd's own bin_dir
  --force                of enable: whatever was found
  --probe                of doctor: have containerd pull what must be refused, and see it refused
  --offline              of doctor: ask no service
  --address SOCKET       containerd's (default: /run/containerd/containerd.sock)
  --containerd-config F  its configuration (default: what its process was given)

Options of images (--policy, --config, --output, --address as above):
  --namespace NS[,NS]    containerd's namespaces (default: all; CRI's is k8s.io)
  --refused              only images that would be refused
  --audited              only images that audit alone lets through
  --progress             say how far it is, also where nobody is at a terminal

Options of log (and --config, --output as above):
  --lines N              how many at most (default: 20)
  --refused              those that were refused, without the doctor's own pulls
  --audited              those let through by audit or break-glass alone
  --summary              count by image and code, the most frequent first
  --image TEXT           those whose name or digest has this in it
  --follow               go on with what comes
  --file FILE            this log instead of the configuration's decisionLog

Options of state and cache: --config and --output as above.

Exit status:
  0 allow   1 deny   2 inconclusive: could not tell   3 misconfigured   4 internal error
  verify: an image that is only audited has 1 or 2, as if enforced
  identity: 0 proven   1 what was found says no   2, 3 and 4 as above
  policy check and test: 0 nothing wrong   1 something is   3 and 4 as above
  state show: 0 shown   1 nothing of that DID, or with a warning
  state forget: 0 forgotten   1 nothing was there
  cache: 0 shown or cleared   1 nothing was there, or with a warning
  images: 0 all would be allowed   1 some would be refused, or are only audited
  enable, disable, doctor: 0 no problem   1 a problem   selftest: 0 all is as it must be   1 not
  log: 0 shown   1 nothing was there
  these: 3 and 4 as above
`;
