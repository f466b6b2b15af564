// SPDX-License-Identifier: Apache-2.0
// Maglev consistent hashing: the ring of a service.
//
// Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016,
// section 3.4, with weights: a backend takes its turns in proportion to its weight. A backend's
// permutation comes from its identity alone, so all nodes build the same ring whatever the order
// in their files.
#pragma once

#include <cstdint>
#include <vector>

#include "model/tables.h"

namespace bascule::model {

struct RingMember {
    BackendKey key;
    std::uint32_t weight = 0;  // members of weight 0 get no slot
    std::uint16_t value = 0;   // what stands in the ring for this member: its backend slot

    bool operator==(const RingMember&) const = default;
};

// `size` is a prime of at least 3; for any other number the ring is empty, as it is when no member
// has weight. The result depends on the set of members, not on their order. Every member with
// weight gets at least one slot while size >= members.
std::vector<std::uint16_t> build_ring(std::vector<RingMember> members, std::uint32_t size);

bool is_prime(std::uint32_t n);

// Smallest ring accepted for that many backends: 100 slots each, as the paper advises, so that
// shares differ from weights by about 1 %. That is the smallest prime from 100 x backends on (from
// 100 on for none); 0 when even the largest ring of the data plane has fewer slots.
std::uint32_t smallest_ring(std::size_t backends);

}  // namespace bascule::model
