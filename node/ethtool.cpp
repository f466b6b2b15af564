// SPDX-License-Identifier: Apache-2.0
#include "node/ethtool.h"

#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "base/descriptor.h"
#include "base/interface_index.h"

namespace bascule::node {

bool ethtool(const std::string& interface, void* data) {
    ifreq request{};
    // First: of a name that is not there the question below would wait for modprobe.
    if (interface_index(interface) == 0) return false;
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) return false;
    std::memcpy(request.ifr_name, interface.c_str(), interface.size());
    request.ifr_data = static_cast<char*>(data);
    return ::ioctl(socket.get(), SIOCETHTOOL, &request) == 0;
}

}  // namespace bascule::node
