// SPDX-License-Identifier: Apache-2.0
// Who comes before whom. Both orders end with the name, so that no two nodes are ever equal and
// every node that knows the same comes to the same answer.
#pragma once

#include <string_view>
#include <tuple>

#include "sync/vip_claim.h"

namespace bascule::sync {

// Of those that could take a VIP: the greatest takes it. Of equals the first by name.
struct TakeoverRank {
    bool ready = false;
    std::uint32_t priority = 0;
    std::string_view name;

    bool operator>(const TakeoverRank& other) const {
        return std::tie(ready, priority, other.name) > std::tie(other.ready, other.priority, name);
    }
};

inline bool can_take(VipRole role) {
    return role == VipRole::fit || role == VipRole::ready;
}

inline TakeoverRank rank_of(const VipClaim& claim, std::string_view name) {
    return {.ready = claim.role == VipRole::ready, .priority = claim.priority, .name = name};
}

// Of two that have it: the first counts for more than the second.
inline bool beats(const VipClaim& one, std::string_view one_name, const VipClaim& other,
                  std::string_view other_name) {
    return std::tie(one.epoch, one.priority, other_name) >
           std::tie(other.epoch, other.priority, one_name);
}

}  // namespace bascule::sync
