// SPDX-License-Identifier: Apache-2.0
// The interfaces that frames may be sent out by. An interface that is not there goes out of the
// device map by itself, in the kernel.
//
// Thread: control.
#pragma once

#include <cstdint>
#include <set>

#include "base/result.h"
#include "model/tables.h"

namespace bascule::dataplane {

class Egress {
public:
    // `map`: descriptor of the device map, which stays open. Takes up what stands in it.
    explicit Egress(int map);

    // An interface that is not there (any more) is no error: packets for it are dropped and
    // counted, and whoever watches links will name another one.
    Result<void> add(std::uint32_t ifindex);
    // All that backends of these tables are sent by, and nothing else.
    Result<void> follow(const model::Tables& tables);

private:
    int map_;
    std::set<std::uint32_t> known_;
};

}  // namespace bascule::dataplane
