// SPDX-License-Identifier: Apache-2.0
// Which sessions the operator asks to see. Thread: control.
#pragma once

#include <optional>

#include "base/result.h"
#include "control/control.pb.h"
#include "node/daemon.h"
#include "node/prefix.h"
#include "node/slots.h"

namespace bascule::node {

class SessionFilter {
public:
    // Fails on a service, a backend or a prefix that is none. A backend's name need only be the one
    // of its kind within the service that is asked for.
    static Result<SessionFilter> make(const Daemon& daemon, const Slots& slots,
                                      const control::ShowSessionsRequest& ask);

    bool matches(const dataplane::Session& session) const;

private:
    // A slot alone would also match sessions of the one that had it before.
    struct Backend {
        std::uint16_t slot;
        std::uint8_t generation;
    };

    SessionFilter() = default;
    Result<void> set_backend(const Daemon& daemon, const Slots& slots,
                             const control::ShowSessionsRequest& ask);

    std::optional<std::uint16_t> service_;
    std::optional<Backend> backend_;
    std::optional<Prefix> source_;
    std::optional<bsc_state> state_;
};

}  // namespace bascule::node
