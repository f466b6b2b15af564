// SPDX-License-Identifier: Apache-2.0
#include "node/session_filter.h"

#include <charconv>
#include <fmt/format.h>

#include "node/views.h"

namespace bascule::node {

namespace {

constexpr unsigned mapped_bits = 96;  // of a v4-mapped address before the IPv4 address

Address masked(const Address& address, unsigned bits) {
    Address::Bytes bytes = address.bytes();
    for (unsigned i = 0; i < bytes.size(); ++i) {
        const unsigned keep = bits > i * 8 ? std::min(bits - i * 8, 8U) : 0;
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xff00U >> keep));
    }
    return Address(bytes);
}

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

}  // namespace

Result<SessionFilter::Prefix> SessionFilter::parse_prefix(const std::string& text) {
    const auto slash = text.find('/');
    const auto address = Address::parse(text.substr(0, slash));
    if (!address)
        return failure(fmt::format("'{}' is no address and no prefix such as 192.0.2.0/24", text));
    const unsigned width = address->is_v4() ? 32 : 128;
    unsigned length = width;
    if (slash != std::string::npos) {
        const char* end = text.data() + text.size();
        const auto read = std::from_chars(text.data() + slash + 1, end, length);
        if (read.ec != std::errc() || read.ptr != end || length > width)
            return failure(fmt::format("'{}': a prefix length is 0 to {}", text, width));
    }
    const unsigned bits = address->is_v4() ? mapped_bits + length : length;
    return Prefix{masked(*address, bits), bits};
}

Result<SessionFilter> SessionFilter::make(const Daemon& daemon,
                                          const control::ShowSessionsRequest& ask) {
    SessionFilter filter;
    filter.state_ = to_state(ask.state());
    for (const auto& service : daemon.state().config().services)
        if (service.name == ask.service()) filter.service_ = service_slot(daemon, service);
    if (!ask.service().empty() && !filter.service_)
        return failure(fmt::format("there is no service '{}'", ask.service()));
    if (!ask.backend().empty()) {
        const BackendSearch search = find_backend(daemon.state().config(), ask.backend());
        if (search.matches.size() != 1) return failure(search.problem);
        filter.backend_ =
            backend_slot(daemon, *search.matches.front().first, *search.matches.front().second);
    }
    if (!ask.source().empty()) {
        auto prefix = parse_prefix(ask.source());
        if (!prefix) return failure(std::move(prefix.error()));
        filter.source_ = *prefix;
    }
    return filter;
}

bool SessionFilter::matches(const dataplane::Session& session) const {
    if (service_ && session.key.service != *service_) return false;
    if (backend_ && session.backend != *backend_) return false;
    if (state_ && session.state != *state_) return false;
    return !source_ || masked(session.key.source, source_->bits) == source_->address;
}

}  // namespace bascule::node
