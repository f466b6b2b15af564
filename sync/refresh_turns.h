// SPDX-License-Identifier: Apache-2.0
// When copies at the peers are told that their session goes on: each partition has its turn four
// times in an idle limit, all of them spread evenly, and with every pass over the table if that is
// less often. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "sync/moment.h"
#include "sync/session_record.h"

namespace bascule::sync {

class RefreshTurns {
public:
    // A pass over the table begins.
    void on_pass(Moment now);
    // A session that this pass comes to, last seen `age` seconds ago: whether its partition has its
    // turn, and it was seen since the turn before. `limit`: idle limit, seconds.
    bool due(std::uint32_t partition, std::uint32_t age, std::uint32_t limit) const;

private:
    std::int64_t turn(Moment at, std::uint32_t partition, std::int64_t period) const;

    std::optional<Moment> before_;  // the pass before this one began
    std::optional<Moment> began_;
};

}  // namespace bascule::sync
