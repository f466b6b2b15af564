// SPDX-License-Identifier: Apache-2.0
// Somebody who records heartbeats on the wire and plays them again. He has no
// key: he cannot change them. Whatever he plays must change nothing.
#pragma once

#include <memory>
#include <vector>

#include "sim/node.h"
#include "sim/random.h"

namespace bascule::sim {

class Recorder {
public:
    struct Recorded {
        std::size_t from = 0;
        std::size_t to = 0;
        std::size_t path = 0;
        std::shared_ptr<const sync::Heartbeat> heartbeat;
        Time sent{0};
    };

    Recorder(const Plan& plan, Random& random) : plan_(plan), random_(random) {}

    void record(Recorded recorded);
    // Plays one again, at whom it was meant for. Throws Violation when that
    // changes anything. `sent` counts what nodes send.
    void play(const std::vector<std::unique_ptr<Node>>& nodes, Time now, const std::uint64_t& sent);

private:
    const Plan& plan_;
    Random& random_;
    std::vector<Recorded> tape_;
};

}  // namespace bascule::sim
