# SPDX-License-Identifier: Apache-2.0
# bash completion for basculed(8).

_basculed() {
    local cur prev words cword
    _init_completion || return

    case $prev in
        --config) _filedir toml && return ;;
        --runtime-dir | --bpffs | --state-dir) _filedir -d && return ;;
        --helper) _filedir && return ;;
    esac
    local names="--config --runtime-dir --bpffs --state-dir --check --detach --doctor --release-vips"
    names+=" --helper --run-helper --version --help"
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
}
complete -F _basculed basculed
