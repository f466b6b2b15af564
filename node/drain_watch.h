// SPDX-License-Identifier: Apache-2.0
// When the last session of a drained backend is gone. Pure: it is told the time. Thread: control.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "model/config.h"
#include "node/operator_words.h"

namespace bascule::node {

class DrainWatch {
public:
    using Time = std::chrono::steady_clock::time_point;

    // Whom the operator has drained by now. A drain that was not there before begins now.
    void follow(const model::Config& config, const OperatorWords& words, Time now);

    // What a walk over all sessions, begun at `began`, found of each backend. Only of drains that
    // stood by then: a walk that began earlier may have missed a session. Returns the backends that
    // have none any more, each once in its drain.
    std::vector<BackendName> count(
        Time began, const std::function<std::uint64_t(const BackendName&)>& sessions);

    bool empty() const { return drains_.empty(); }
    // Of a drained backend, as last counted; nullopt: not counted yet, or not drained.
    std::optional<std::uint64_t> sessions(const BackendName& backend) const;

private:
    struct Drain {
        Time since;
        std::optional<std::uint64_t> sessions;
        bool told = false;
    };
    std::map<BackendName, Drain> drains_;
};

}  // namespace bascule::node
