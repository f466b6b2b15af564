// SPDX-License-Identifier: Apache-2.0
// Which index a network interface has, for threads that may not wait.
//
// if_nametoindex() and all other ioctls that take a name have the kernel run modprobe for a name
// that is not there, and wait for it (dev_load(), for who has CAP_NET_ADMIN): as long as the disk
// hangs. The name is asked for here as that of a device to bind a socket to, which is looked up
// without a lock, and loads nothing (sock_setbindtodevice(); Linux >= 5.7).
#pragma once

#include <cstdint>
#include <string>

#include "base/descriptor.h"

namespace bascule {

// With a socket of its own, which is opened in the network namespace of the first look and kept.
// Thread: one at a time.
class InterfaceLookup {
public:
    // 0: there is none of that name, or no socket can be had; errno says which.
    std::uint32_t index_of(const std::string& name);

private:
    Descriptor socket_;
};

// The same for one look. Thread: any.
std::uint32_t interface_index(const std::string& name);

}  // namespace bascule
