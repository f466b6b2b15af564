// SPDX-License-Identifier: Apache-2.0
// What was heard of a peer's incarnations on one path, to be echoed to it. The one that counts
// comes first; of those that have not proven to be fresh, the one that was echoed least: recordings
// that are played over and over do not keep a restarted peer from its proof. Bounded. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "sync/heartbeat.h"
#include "sync/moment.h"

namespace bascule::sync {

class EchoBook {
public:
    static constexpr std::size_t most_unproven = 4;

    // `late`: it has waited here, nobody knows how long.
    void heard(const Heartbeat& heartbeat, Moment now, bool late);
    // This incarnation counts from now on.
    void adopt(Incarnation incarnation);
    // At most two. What was heard before `since` is forgotten.
    std::vector<Echo> echoes(Moment since, Moment now);

private:
    struct Entry {
        Incarnation incarnation = 0;
        std::uint64_t sequence = 0;
        std::uint64_t sent = 0;
        Moment heard{};
        bool late = false;
        std::uint64_t echoed = 0;  // times
    };
    Entry& place_for(Incarnation incarnation);
    static Echo echo_of(Entry& entry, Moment now);

    Incarnation adopted_ = 0;
    std::vector<Entry> entries_;
};

}  // namespace bascule::sync
