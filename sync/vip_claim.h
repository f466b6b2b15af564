// SPDX-License-Identifier: Apache-2.0
// What a node says of each VIP in every heartbeat. Pure values.
#pragma once

#include <cstdint>

#include "model/vip_id.h"

namespace bascule::sync {

using VipId = model::VipId;
using model::vip_id;

// How often a VIP has been taken by anybody: who takes it raises it above all that was heard. The
// highest claim wins, so that who comes back from a partition or a long sleep knows that it has
// been replaced. Claims beyond `most_epoch` are nonsense and count for nothing.
using Epoch = std::uint64_t;
inline constexpr Epoch most_epoch = Epoch{1} << 34;

using model::most_vips;

enum class VipRole : std::uint8_t {
    unfit,     // could not hold it now
    fit,       // could, but is not in step: only where nobody else can
    ready,     // could, without a client's noticing
    holding,   // has it, and is found by it
    offering,  // has it, and asks to be relieved of it
};
const char* name_of(VipRole role);

// A node's place among the names of the configuration in their order, from 1 on; 0: none.
using NodePlace = std::uint8_t;

struct VipClaim {
    VipId vip = 0;
    VipRole role = VipRole::unfit;
    Epoch epoch = 0;             // of who has it; else of who is heard; else the highest known
    std::uint32_t priority = 0;  // of this node for this VIP
    // Holding: by the operator's word, so that nobody takes it back by priority. Offering: by the
    // operator's word, so that who takes it has it by that.
    bool moved = false;
    // Has it not, and hears one that has: for those who do not hear that one themselves.
    bool heard = false;
    // Where `heard`: whom; of several of that epoch the first by name. 0: it does not say (an
    // earlier release), or its configuration is not this node's. So that two that do not hear each
    // other, and have the same epoch, hear who keeps it.
    NodePlace holder = 0;

    bool operator==(const VipClaim&) const = default;
};

inline bool has_it(VipRole role) {
    return role == VipRole::holding || role == VipRole::offering;
}

}  // namespace bascule::sync
