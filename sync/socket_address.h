// SPDX-License-Identifier: Apache-2.0
// Endpoints as the socket calls have them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "model/config.h"

namespace bascule::sync {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    int family() const { return storage.ss_family; }
};

inline SocketAddress socket_address(const model::Endpoint& endpoint) {
    SocketAddress out;
    if (endpoint.address.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(endpoint.port);
        in.sin_addr.s_addr = endpoint.address.v4_wire();
        std::memcpy(&out.storage, &in, sizeof in);
        out.length = sizeof in;
        return out;
    }
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(endpoint.port);
    const auto& bytes = endpoint.address.bytes();
    std::copy(bytes.begin(), bytes.end(), in.sin6_addr.s6_addr);
    std::memcpy(&out.storage, &in, sizeof in);
    out.length = sizeof in;
    return out;
}

// Of another family than these two: no endpoint at all, "[::]:0".
inline model::Endpoint endpoint_of(const sockaddr_storage& storage) {
    if (storage.ss_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, &storage, sizeof in);
        return {Address::v4_from_wire(in.sin_addr.s_addr), ntohs(in.sin_port)};
    }
    if (storage.ss_family != AF_INET6) return {};
    sockaddr_in6 in{};
    std::memcpy(&in, &storage, sizeof in);
    Address::Bytes bytes{};
    std::copy_n(in.sin6_addr.s6_addr, bytes.size(), bytes.begin());
    return {Address(bytes), ntohs(in.sin6_port)};
}

}  // namespace bascule::sync
