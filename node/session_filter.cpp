// SPDX-License-Identifier: Apache-2.0
#include "node/session_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "node/views.h"

namespace bascule::node {

namespace {

std::optional<bsc_state> to_state(control::SessionState state) {
    switch (state) {
        case control::SESSION_EMBRYONIC:
            return BSC_EMBRYONIC;
        case control::SESSION_ADOPTED:
            return BSC_ADOPTED;
        case control::SESSION_CLOSING:
            return BSC_CLOSING;
        case control::SESSION_ESTABLISHED:
            return BSC_ESTABLISHED;
        default:
            return std::nullopt;
    }
}

// After a write that the kernel refused.
std::string not_in_tables(const std::string& name) {
    return fmt::format("'{}' is not in the tables of the data plane yet: see `bascule status`",
                       name);
}

}  // namespace

Result<SessionFilter> SessionFilter::make(const Daemon& daemon, const Slots& slots,
                                          const control::ShowSessionsRequest& ask) {
    SessionFilter filter;
    filter.state_ = to_state(ask.state());
    if (!ask.service().empty()) {
        const auto& services = daemon.state().config().services;
        const auto named = std::find_if(services.begin(), services.end(), [&](const auto& service) {
            return service.name == ask.service();
        });
        if (named == services.end())
            return failure(fmt::format("there is no service '{}'", ask.service()));
        filter.service_ = slots.service(key_of(*named));
        if (!filter.service_) return failure(not_in_tables(ask.service()));
    }
    if (!ask.backend().empty())
        if (auto set = filter.set_backend(daemon, slots, ask); !set)
            return failure(std::move(set.error()));
    if (!ask.source().empty()) {
        auto prefix = Prefix::parse(ask.source());
        if (!prefix) return failure(std::move(prefix.error()));
        filter.source_ = *prefix;
    }
    return filter;
}

Result<void> SessionFilter::set_backend(const Daemon& daemon, const Slots& slots,
                                        const control::ShowSessionsRequest& ask) {
    const bool full = ask.service().empty() || ask.backend().find('/') != std::string::npos;
    const std::string name = full ? ask.backend() : ask.service() + "/" + ask.backend();
    const BackendSearch search = find_backend(daemon.state().config(), name);
    if (search.matches.size() != 1) return failure(search.problem);
    const auto [service, backend] = search.matches.front();
    const auto slot = slots.backend(key_of(*service), key_of(*backend));
    if (!slot) return failure(not_in_tables(name));
    backend_ = {*slot, daemon.dataplane().tables().backends.at(*slot).generation};
    return {};
}

bool SessionFilter::matches(const dataplane::Session& session) const {
    if (service_ && session.key.service != *service_) return false;
    if (backend_ &&
        (session.backend != backend_->slot || session.generation != backend_->generation))
        return false;
    if (state_ && session.state != *state_) return false;
    return !source_ || source_->contains(session.key.source);
}

}  // namespace bascule::node
