# SPDX-License-Identifier: Apache-2.0
# bash completion for bascule(1). Names of backends, services, VIPs and nodes come from the running
# daemon: a second is waited for it, and without one there are no names, and no words about it.

# Values of one member of the indented JSON that the command prints, those of witnesses left out.
# `dir` is the caller's.
_bascule_ask() {
    local member=$1
    shift
    "${words[0]}" "$@" "${dir[@]}" --timeout 1 --json 2>/dev/null |
        sed -n "/^  \"witnesses\"/q; s/^      \"$member\": \"\\([][A-Za-z0-9_.:/-]*\\)\",\\{0,1\\}\$/\\1/p"
}

_bascule_backends() { _bascule_ask id show backends; }
_bascule_services() { _bascule_ask name show services; }
_bascule_vips() { _bascule_ask address show vips; }
_bascule_peers() { _bascule_ask name show peers; }

# Words for the value of an option; 1: they are files, or anybody's guess, and all is done.
_bascule_value() {
    case $1 in
        --runtime-dir | --bpffs | --state-dir)
            _filedir -d
            return 1
            ;;
        -w | --write | --ring-from | --config)
            _filedir
            return 1
            ;;
        --rotate) names="add switch drop" ;;
        --reason) names=$(_bascule_ask name show drops --all) ;;
        --protocol) names="tcp udp" ;;
        --flags) names="syn ack fin,ack rst none" ;;
        --in) names=$(ls /sys/class/net) ;;
        --state) names="embryonic adopted closing established" ;;
        --service) names=$(_bascule_services) ;;
        --backend) names=$(_bascule_backends) ;;
        --vip) names=$(_bascule_vips) ;;
        --subject) names="$(_bascule_services) $(_bascule_backends) $(_bascule_vips) $(_bascule_peers)" ;;
        *) return 1 ;;
    esac
}

# Options of a command, with those of all.
_bascule_options() {
    names="--json --runtime-dir --timeout --help"
    case $1 in
        "") names+=" --version" ;;
        status | "show drops") names+=" --all" ;;
        doctor) names+=" --all --config --bpffs --state-dir" ;;
        "show backends") names+=" --service --detail" ;;
        "show peers" | "show vips") names+=" --detail" ;;
        "show health") names+=" --history" ;;
        "show sessions") names+=" --service --backend --source --state --limit" ;;
        keygen) names+=" --ring-from --rotate" ;;
        events) names+=" --follow --since --limit --subject" ;;
        drain) names+=" --wait" ;;
        weight) names+=" --reset" ;;
        detach) names+=" --bpffs" ;;
        trace) names+=" --flags --in --size --vlan --df --no-df" ;;
        capture) names+=" --write --leaves --dropped --passed --arrives --reason --client --vip --port"
            names+=" --protocol --sample --snap --count --for" ;;
    esac
}

# Words for the argument of a command that has `count` of them already; 1: all is done.
_bascule_arguments() {
    case "$1 $2" in
        " 0") names="capture check detach disable doctor drain enable events failover keygen reload show status"
            names+=" trace version weight" ;;
        "show 0") names="backends drops health peers services sessions vips" ;;
        "show health 0") names="$(_bascule_services) $(_bascule_backends)" ;;
        "drain 0" | "disable 0" | "enable 0" | "weight 0") names=$(_bascule_backends) ;;
        "failover 0" | "trace 2") names=$(_bascule_vips) ;;
        "trace 4") names="tcp udp" ;;
        "check 0")
            _filedir toml
            return 1
            ;;
        "keygen 0")
            _filedir
            return 1
            ;;
    esac
}

_bascule() {
    local cur prev words cword
    _init_completion -n : || return

    # "show health" is one command; `count` is of the arguments behind it.
    local dir=() command="" count=0 i
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --runtime-dir)
                dir=(--runtime-dir "${words[i + 1]}")
                ((i++))
                ;;
            --timeout | --service | --backend | --source | --state | --limit | --bpffs | -w | --write | --reason | \
                --client | --vip | --port | --protocol | --sample | --snap | --count | --for | --flags | --config | \
                --in | --size | --vlan | --since | --subject | --ring-from | --rotate | --state-dir) ((i++)) ;;
            -*) ;;
            *)
                if [[ -z $command || $command == show ]]; then
                    command+="${command:+ }${words[i]}"
                else
                    ((count++))
                fi
                ;;
        esac
    done

    local names=""
    case $prev in
        --timeout | --limit | --source | --since | --client | --port | --sample | --snap | --count | --for | --size | \
            --vlan) return ;;
        --runtime-dir | --bpffs | --state-dir | -w | --write | --ring-from | --config | --rotate | --reason | \
            --protocol | --flags | --in | --state | --service | --backend | --vip | --subject)
            _bascule_value "$prev" || return
            ;;
        *)
            if [[ $cur == -* ]]; then
                _bascule_options "$command"
            else
                _bascule_arguments "$command" "$count" || return
            fi
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
    __ltrim_colon_completions "$cur"
}
complete -F _bascule bascule
