// SPDX-License-Identifier: Apache-2.0
// Addresses as the socket calls take them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/address.h"

namespace bascule::health {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    int family() const { return storage.ss_family; }
};

// `port`: host order.
inline SocketAddress socket_address(const Address& address, std::uint16_t port) {
    SocketAddress out;
    if (address.is_v4()) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        in.sin_addr.s_addr = address.v4_wire();
        std::memcpy(&out.storage, &in, sizeof in);
        out.length = sizeof in;
        return out;
    }
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::copy(address.bytes().begin(), address.bytes().end(), in.sin6_addr.s6_addr);
    std::memcpy(&out.storage, &in, sizeof in);
    out.length = sizeof in;
    return out;
}

}  // namespace bascule::health
