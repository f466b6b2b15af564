// SPDX-License-Identifier: Apache-2.0
// A range of ports as the data plane finds it: by prefixes, as routes find addresses.
#pragma once

#include <cstdint>
#include <vector>

#include "bpf/contract.h"
#include "model/config.h"

namespace bascule::model {

// The ports whose first `length` bits are those of `port`.
struct PortPrefix {
    std::uint16_t port = 0;  // host order; bits beyond the length are 0
    std::uint8_t length = 16;

    auto operator<=>(const PortPrefix&) const = default;
};

// The fewest prefixes that cover just this range, in order; at most 30. None for a reversed range.
std::vector<PortPrefix> prefixes_of(const PortRange& ports);

// Of all services together. A prefix is a word in a hash table of buckets of eight: at one word a
// bucket on average, that a bucket overflows is next to impossible.
inline constexpr std::size_t most_port_prefixes = BSC_SERVICE_BUCKETS;

}  // namespace bascule::model
