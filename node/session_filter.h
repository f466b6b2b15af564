// SPDX-License-Identifier: Apache-2.0
// Which sessions the operator asks to see. Thread: control.
#pragma once

#include <optional>

#include "base/result.h"
#include "control/control.pb.h"
#include "node/daemon.h"

namespace bascule::node {

class SessionFilter {
public:
    // Fails on a service, a backend or a prefix that is none.
    static Result<SessionFilter> make(const Daemon& daemon,
                                      const control::ShowSessionsRequest& ask);

    bool matches(const dataplane::Session& session) const;

private:
    struct Prefix {
        Address address;  // host bits are 0
        unsigned bits;    // of 128; IPv4 addresses are v4-mapped
    };
    static Result<Prefix> parse_prefix(const std::string& text);

    std::optional<std::uint16_t> service_;
    std::optional<std::uint16_t> backend_;
    std::optional<Prefix> source_;
    std::optional<bsc_state> state_;
};

}  // namespace bascule::node
