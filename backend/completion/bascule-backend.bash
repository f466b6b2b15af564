# SPDX-License-Identifier: Apache-2.0
# bash completion for bascule-backend(8).

_bascule_backend() {
    local cur prev words cword
    _init_completion || return

    local command="" i names=""
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --config | --runtime-dir | --bpffs | --sysctl-dir) ((i++)) ;;
            -*) ;;
            *) [[ -n $command ]] || command=${words[i]} ;;
        esac
    done
    case $prev in
        --config) _filedir toml && return ;;
        --runtime-dir | --bpffs | --sysctl-dir) _filedir -d && return ;;
    esac
    if [[ $cur == -* ]]; then
        names="--config --runtime-dir --bpffs --sysctl-dir --help"
        case $command in
            status | self-test) names+=" --json" ;;
            "") names+=" --version" ;;
        esac
    elif [[ -z $command ]]; then
        names="run check status self-test undo"
    elif [[ $command == check ]]; then
        _filedir toml && return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
}
complete -F _bascule_backend bascule-backend
