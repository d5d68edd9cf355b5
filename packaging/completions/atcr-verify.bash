# bash completion for atcr-verify
_atcr_verify() {
	local cur prev words cword
	_init_completion -s 2>/dev/null || {
		cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	}
	local common="--config --output --help" containerd="--address --containerd-config"
	local options=""
	case $prev in
	--output) COMPREPLY=($(compgen -W "text json" -- "$cur")); return ;;
	--policy | --config | --bundle | --save-evidence | --file | --containerd-config | --address)
		COMPREPLY=($(compgen -f -- "$cur")); return ;;
	--bin-dir) COMPREPLY=($(compgen -d -- "$cur")); return ;;
	--media-type | --at | --sandbox-image | --min-key-age | --namespace | --lines | --image) return ;;
	esac
	case ${words[1]} in
	verify) options="--policy --media-type --save-evidence --no-cache --offline --bundle --at --allow-audited" ;;
	policy)
		case ${words[2]} in
		check) options="--strict --offline --sandbox-image --no-sandbox" ;;
		explain | test) options="--policy" ;;
		schema) ;;
		*) options="check explain test schema" ;;
		esac ;;
	identity) options="--min-key-age" ;;
	state) ((cword == 2)) && options="show forget" ;;
	cache) ((cword == 2)) && options="list show clear" ;;
	enable) options="--bin-dir --force $containerd" ;;
	disable) options="--bin-dir $containerd" ;;
	doctor) options="--probe --offline $containerd" ;;
	images) options="--namespace --refused --audited --progress --address --policy" ;;
	selftest) ;;
	log) options="--lines --refused --audited --summary --image --follow --file" ;;
	*)
		COMPREPLY=($(compgen -W "verify policy identity state cache enable disable doctor images selftest log --help --version" -- "$cur"))
		return ;;
	esac
	COMPREPLY=($(compgen -W "$options $common" -- "$cur"))
	# Files are what check and test take.
	if [[ $cur != -* && ${words[1]} == policy && ${words[2]} =~ ^(check|test)$ ]]; then
		COMPREPLY+=($(compgen -f -- "$cur"))
	fi
}
complete -F _atcr_verify atcr-verify
