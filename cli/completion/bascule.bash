# SPDX-License-Identifier: Apache-2.0
# bash completion for bascule(1). Names of backends and services come from the running daemon.

# Values of one member of the indented JSON that the command prints, those of witnesses left out;
# nothing without a daemon.
_bascule_ask() {
    local member=$1
    shift
    bascule "$@" "${dir[@]}" --timeout 1 --json 2>/dev/null |
        sed -n "/^  \"witnesses\"/q; s/^      \"$member\": \"\\([A-Za-z0-9_.:/-]*\\)\",\\{0,1\\}\$/\\1/p"
}

_bascule() {
    local cur prev words cword
    _init_completion || return

    local dir=() command="" object="" i
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --runtime-dir)
                dir=(--runtime-dir "${words[i + 1]}")
                ((i++))
                ;;
            --timeout | --service | --backend | --source | --state | --limit | --bpffs | -w | --write | --reason | \
                --client | --vip | --port | --protocol | --sample | --snap | --count | --for | --flags | \
                --in | --size | --vlan | --since | --subject | --ring-from | --rotate) ((i++)) ;;
            -*) ;;
            *) if [[ -z $command ]]; then command=${words[i]}; elif [[ -z $object ]]; then object=${words[i]}; fi ;;
        esac
    done

    local names=""
    case $prev in
        --runtime-dir | --bpffs) _filedir -d && return ;;
        --timeout | --limit | --source | --since) return ;;
        --client | --vip | --port | --sample | --snap | --count | --for | --size | --vlan) return ;;
        -w | --write | --ring-from) _filedir && return ;;
        --rotate) names="add switch drop" ;;
        --reason) names=$(_bascule_ask name show drops --all) ;;
        --protocol) names="tcp udp" ;;
        --flags) names="syn ack fin,ack rst none" ;;
        --in) names=$(ls /sys/class/net) ;;
        --state) names="embryonic adopted closing established" ;;
        --service) names=$(_bascule_ask name show services) ;;
        --backend) names=$(_bascule_ask id show backends) ;;
        --subject) names="$(_bascule_ask name show services) $(_bascule_ask id show backends) $(_bascule_ask name show peers)" ;;
    esac
    if [[ -n $names || $prev == --service || $prev == --backend || $prev == --subject ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
        return
    fi

    if [[ $cur == -* ]]; then
        names="--json --runtime-dir --timeout --help"
        case "$command $object" in
            "status " | "show drops") names+=" --all" ;;
            "show backends") names+=" --service --detail" ;;
            "show peers" | "show vips") names+=" --detail" ;;
            keygen*) names+=" --ring-from --rotate" ;;
            "show health") names+=" --history" ;;
            "events ") names+=" --follow --since --limit --subject" ;;
            drain*) names+=" --wait" ;;
            "show sessions") names+=" --service --backend --source --state --limit" ;;
            weight*) names+=" --reset" ;;
            "detach ") names+=" --bpffs" ;;
            trace*) names+=" --flags --in --size --vlan --df --no-df" ;;
            "capture ") names+=" --write --leaves --dropped --passed --arrives --reason --client --vip"
                names+=" --port --protocol --sample --snap --count --for" ;;
            " ") names+=" --version" ;;
        esac
    else
        case "$command $object" in
            " ") names="capture check detach disable drain enable events failover keygen reload show status trace version weight" ;;
            "show ") names="services backends health peers vips sessions drops" ;;
            "show health") names="$(_bascule_ask name show services) $(_bascule_ask id show backends)" ;;
            "drain " | "disable " | "enable " | "weight ") names=$(_bascule_ask id show backends) ;;
            "failover ") names=$(_bascule_ask address show vips) ;;
            "check ") _filedir toml && return ;;
            "keygen ") _filedir && return ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
}
complete -F _bascule bascule
