// SPDX-License-Identifier: Apache-2.0
// Whether the cluster would survive the loss of a node now, reckoned from what `status` says. Pure;
// any thread.
#pragma once

#include <string>
#include <vector>

#include "control/control.pb.h"

namespace bascule::cli {

// What happens to VIPs of one node when it dies.
struct Succession {
    std::string from;
    std::string to;      // empty: nobody could take them
    bool ready = false;  // `to` is in step: no client notices
    std::vector<std::string> vips;
};

struct Survival {
    // Sentences without an end, the worst first; empty: the loss of any node harms nobody.
    std::vector<std::string> reasons;
    std::vector<Succession> successions;  // the worst first, then in order of `from`

    bool survives() const { return reasons.empty(); }
};

// Of a node of a cluster: `status` has peers.
Survival survival_of(const control::Status& status);

// The exit code: something is wrong, or would be once a node is lost.
bool is_degraded(const control::Status& status);

// Who has the VIP, as far as `self` hears; empty: nobody.
std::string holder_of(const control::Vip& vip, const std::string& self);

// "lb1", "lb1 and lb2", "lb1, lb2 and 3 more".
std::string some_of(const std::vector<std::string>& names);

}  // namespace bascule::cli
