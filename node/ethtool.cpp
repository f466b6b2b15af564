// SPDX-License-Identifier: Apache-2.0
#include "node/ethtool.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"

namespace bascule::node {

bool ethtool(const std::string& interface, void* data) {
    ifreq request{};
    if (interface.size() >= sizeof request.ifr_name) {
        errno = ENODEV;
        return false;
    }
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return false;
    std::memcpy(request.ifr_name, interface.c_str(), interface.size());
    request.ifr_data = static_cast<char*>(data);
    return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

}  // namespace bascule::node
