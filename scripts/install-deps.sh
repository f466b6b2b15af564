#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what building, testing and the demo need, from Debian 12's own packages.
#
#   sudo scripts/install-deps.sh [--list]
#
# Does nothing, and needs neither network nor root, when all of it is there already. No service is
# started: nginx and nsd are used as programs by the lab, never as this machine's own servers.
set -euo pipefail

packages=(
    # compilers and build
    g++ cmake ninja-build ccache pkg-config
    # what runs in the kernel, and its skeletons; sanitizers and fuzzing
    clang-14 llvm-14 libclang-rt-14-dev bpftool libbpf-dev libelf-dev zlib1g-dev linux-libc-dev
    # libraries
    libboost1.81-dev libprotobuf-dev protobuf-compiler libtomlplusplus-dev libcli11-dev
    libspdlog-dev libfmt-dev nlohmann-json3-dev libnl-3-dev libnl-route-3-dev libexpected-dev
    libssl-dev libsystemd-dev libre2-dev prometheus-cpp-dev
    # checks and tests
    git clang-format-14 clang-tidy-14 libclang-14-dev llvm-14-dev libgtest-dev libgmock-dev libbenchmark-dev
    groff-base bash-completion zsh
    # the lab and the demo
    nginx-light nsd wrk iperf3 tcpdump tshark ethtool iproute2 curl python3 procps util-linux
    openssl nftables python3-prometheus-client
)

if [[ ${1:-} == --list ]]; then
    printf '%s\n' "${packages[@]}"
    exit 0
fi

fail() {
    echo "install-deps: $*" >&2
    exit 1
}

missing=()
states=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
for package in "${packages[@]}"; do
    grep -qx "installed $package" <<<"$states" || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
    echo "install-deps: all ${#packages[@]} packages are installed"
    exit 0
fi

command -v apt-get >/dev/null || fail "no apt-get here: this needs Debian 12"
[[ $EUID -eq 0 ]] || fail "missing: ${missing[*]}; to install them, run: sudo $0"

log=$(mktemp /tmp/bascule-install.XXXXXX)
policy=/usr/sbin/policy-rc.d
mark="made by bascule's install-deps.sh"
policy_is_ours=no

cleanup() {
    [[ $policy_is_ours == no ]] || rm -f "$policy"
    rm -f "$log"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Packages ask policy-rc.d whether they may start their service. One that is there already belongs
# to the machine and is left alone. Ours stops having an effect when this process is gone, so that
# even a SIGKILL leaves no machine whose services do not start.
if [[ ! -e $policy ]] || grep -q "$mark" "$policy"; then
    policy_is_ours=yes
    rm -f "$policy"
    (
        umask 022
        printf '#!/bin/sh\n# %s; without effect once process %d is gone\n' "$mark" $$
        printf 'kill -0 %d 2>/dev/null && exit 101\nexit 0\n' $$
    ) >"$policy"
    chmod 755 "$policy"
fi

strangers=()
for server in nginx nsd; do
    if ! dpkg-query -W -f '${db:Status-Status}' "$server" 2>/dev/null | grep -qx installed; then
        strangers+=("$server")
    fi
done

export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
apt() {
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >>"$log" 2>&1
}
explain() {
    echo "install-deps: $1; apt-get said:" >&2
    tail -n 20 "$log" | sed 's/^/    /' >&2
    fail "this needs the main archive of Debian 12 (bookworm) in the apt sources, and the network"
}
apt update || explain "cannot read the package lists"
apt install --no-install-recommends "${missing[@]}" || explain "cannot install ${missing[*]}"

# Their packages also enable the services for the next boot, where they would take ports 80 and 53.
for server in "${strangers[@]}"; do
    command -v systemctl >/dev/null || break
    systemctl disable --quiet "$server.service" >>"$log" 2>&1 ||
        echo "install-deps: could not disable $server.service; see: systemctl status $server" >&2
done
echo "install-deps: installed ${#missing[@]} of ${#packages[@]} packages"
