# bash completion for atcr-verify, written by packaging/docs-tables.ts from src/frontends/cli/command-table
_atcr_verify() {
	local cur prev words cword
	_init_completion -s 2>/dev/null || {
		cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	}
	case $prev in
	--output | -o) COMPREPLY=($(compgen -W "text json ndjson ref junit github markdown" -- "$cur")); return ;;
	--format) COMPREPLY=($(compgen -W "cosign notation" -- "$cur")); return ;;
	--distribution) COMPREPLY=($(compgen -W "rke2 k3s k0s microk8s kind eks-al2023 aks gke-cos talos kubeadm flatcar bottlerocket" -- "$cur")); return ;;
	--file | --policy | --save-evidence | --bundle | --config | --address | --key | --passphrase-file | --certificate | --out | -o | --pod | --seal | --containerd-config | --kubeconfig) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--bin-dir | --containers-dir) COMPREPLY=($(compgen -d -- "$cur")); return ;;
	--policy-sha256 | --signer | --platform | --media-type | --at | --namespace | --expires | --scope | --sandbox-image | --min-key-age | --sha256 | --context | --server | --for | --reason | --lines | --image) return ;;
	esac
	# The words of the command so far; an option and its value may stand before it.
	local i command="" offered="" files=""
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		--file | --policy | --policy-sha256 | --signer | --platform | --media-type | --save-evidence | --bundle | --at | --config | --namespace | --address | --key | --passphrase-file | --certificate | --expires | --scope | --out | -o | --sandbox-image | --pod | --min-key-age | --seal | --sha256 | --bin-dir | --containers-dir | --containerd-config | --kubeconfig | --context | --server | --for | --reason | --lines | --image | --output | -o | --format | --distribution) ((i++)) ;;
		-*) ;;
		*) case $command in "") command=${words[i]} ;; help | policy | config | state | cache | bundle) command="$command ${words[i]}" ;; esac ;;
		esac
	done
	case $command in
	"" | help) offered="verify inspect images vouch policy config identity state cache bundle export attach enable disable doctor break-glass log selftest lookaside serve" ;;
	policy | "help policy") offered="init check explain test schema" ;;
	config | "help config") offered="check" ;;
	state | "help state") offered="show forget" ;;
	cache | "help cache") offered="list show clear" ;;
	bundle | "help bundle") offered="create list merge import keygen" ;;
	"verify") offered="--file --output --quiet --verbose --policy --policy-sha256 --signer --platform --allow-audited --no-cache --stateless --media-type --save-evidence --offline --bundle --at --config --help" ;;
	"inspect") offered="--signer --config --output --help" ;;
	"images") offered="--refused --audited --namespace --progress --address --policy --config --output --help" ;;
	"vouch") offered="--format --key --passphrase-file --certificate --expires --platform --dry-run --force --policy --config --output --help" ;;
	"policy init") offered="--signer --scope --out --force --config --help" ;;
	"policy check") offered="--strict --offline --sandbox-image --no-sandbox --config --output --help" files=yes ;;
	"policy explain") offered="--pod --policy --config --output --help" ;;
	"policy test") offered="--policy --config --output --help" files=yes ;;
	"policy schema") offered="--help" ;;
	"config check") offered="--strict --no-files --verbose --output --help" files=yes ;;
	"identity") offered="--min-key-age --config --output --help" ;;
	"state show") offered="--config --output --help" ;;
	"state forget") offered="--config --output --help" ;;
	"cache list") offered="--config --output --help" ;;
	"cache show") offered="--config --output --help" ;;
	"cache clear") offered="--config --output --help" ;;
	"bundle create") offered="--file --out --seal --policy --config --help" ;;
	"bundle list") offered="--policy --config --output --help" files=yes ;;
	"bundle merge") offered="--out --seal --config --help" files=yes ;;
	"bundle import") offered="--sha256 --config --help" files=yes ;;
	"bundle keygen") offered="--out --help" ;;
	"export") offered="--out --seal --policy --config --help" ;;
	"attach") offered="--seal --force --policy --config --help" ;;
	"enable") offered="--bin-dir --force --containers --containers-dir --print-config --distribution --address --containerd-config --config --output --help" ;;
	"disable") offered="--bin-dir --containers --containers-dir --address --containerd-config --config --output --help" ;;
	"doctor") offered="--probe --offline --containers --containers-dir --cluster --kubeconfig --context --namespace --server --address --containerd-config --config --output --help" ;;
	"break-glass") offered="--for --scope --reason --end --address --output --help" ;;
	"log") offered="--lines --refused --audited --image --summary --follow --file --config --output --help" ;;
	"selftest") offered="--output --help" ;;
	"lookaside") offered="--config --new-key --help" ;;
	"serve") offered="--config --help" ;;
	esac
	[[ $command == "" ]] && offered="$offered help --help --version"
	COMPREPLY=($(compgen -W "$offered" -- "$cur"))
	if [[ $files && $cur != -* ]]; then COMPREPLY+=($(compgen -f -- "$cur")); fi
}
complete -F _atcr_verify atcr-verify
