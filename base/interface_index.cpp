// SPDX-License-Identifier: Apache-2.0
#include "base/interface_index.h"

#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>

namespace bascule {

std::uint32_t InterfaceLookup::index_of(const std::string& name) {
    // The kernel would cut what is too long, and take an empty one for "none".
    if (name.empty() || name.size() >= IF_NAMESIZE) {
        errno = ENODEV;
        return 0;
    }
    if (!socket_) socket_.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket_) return 0;
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTODEVICE, name.data(),
                     static_cast<socklen_t>(name.size())) != 0)
        return 0;
    int index = 0;
    socklen_t size = sizeof index;
    const bool told =
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &index, &size) == 0 && index > 0;
    constexpr int none = 0;
    // Who lacks CAP_NET_RAW binds a socket only once.
    if (::setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &none, sizeof none) != 0)
        socket_.reset();
    return told ? static_cast<std::uint32_t>(index) : 0;
}

std::uint32_t interface_index(const std::string& name) {
    return InterfaceLookup().index_of(name);
}

}  // namespace bascule
