// SPDX-License-Identifier: Apache-2.0
// Which services can take new flows, and when that changes. Pure. Thread: control.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "node/state.h"

namespace bascule::node {

class Readiness {
public:
    struct Change {
        std::string service;
        bool ready = false;
        std::string text;  // "1 of 3 backends can serve, its quorum is 2"
    };
    // What has changed since the last call. A service that is new is told of only when it cannot.
    std::vector<Change> follow(const State& state);

private:
    std::map<std::string, bool> ready_;
};

// As in Change.
std::string in_words(const model::ServiceConfig& service, const ServiceView& view);

}  // namespace bascule::node
