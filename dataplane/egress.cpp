// SPDX-License-Identifier: Apache-2.0
#include "dataplane/egress.h"

#include <bpf/bpf.h>

#include <cerrno>
#include <string>

#include "bpf/contract.h"
#include "dataplane/libbpf_log.h"

namespace bascule::dataplane {

Egress::Egress(int map) : map_(map) {
    __u32 key = 0;
    const __u32* before = nullptr;
    for (__u32 next = 0;
         known_.size() < BSC_MAX_EGRESS && bpf_map_get_next_key(map_, before, &next) == 0;) {
        known_.insert(next);
        key = next;
        before = &key;
    }
}

Result<void> Egress::add(std::uint32_t ifindex) {
    if (ifindex == 0 || known_.contains(ifindex)) return {};
    const __u32 key = ifindex;
    if (bpf_map_update_elem(map_, &key, &key, BPF_ANY) == 0) {
        known_.insert(ifindex);
        return {};
    }
    if (errno == E2BIG)
        return failure("backends are reached by more than " + std::to_string(BSC_MAX_EGRESS) +
                       " network interfaces");
    if (errno == EINVAL) return {};  // the kernel's word for an interface that is not there
    return failure(bpf_error("send out by interface " + std::to_string(ifindex), errno));
}

Result<void> Egress::follow(const model::Tables& tables) {
    std::set<std::uint32_t> used;
    for (const auto& [slot, backend] : tables.backends)
        if (backend.next_hop && backend.next_hop->ifindex != 0)
            used.insert(backend.next_hop->ifindex);
    for (auto known = known_.begin(); known != known_.end();) {
        const __u32 key = *known;
        if (used.contains(key)) {
            ++known;
            continue;
        }
        if (bpf_map_delete_elem(map_, &key) != 0 && errno != ENOENT)
            return failure(
                bpf_error("stop sending out by interface " + std::to_string(key), errno));
        known = known_.erase(known);
    }
    for (const std::uint32_t ifindex : used)
        if (auto added = add(ifindex); !added) return added;
    return {};
}

}  // namespace bascule::dataplane
