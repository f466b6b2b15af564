// SPDX-License-Identifier: Apache-2.0
// XDP links of the kernel: a program on an interface, for as long as the link is open or pinned.
// Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/descriptor.h"
#include "base/result.h"
#include "model/config.h"

namespace bascule::dataplane {

struct LinkAttempt {
    Descriptor link;
    int error = 0;  // errno, when there is no link
};

// `mode`: native or generic.
LinkAttempt make_link(int program, std::uint32_t ifindex, model::XdpMode mode);
// Interface index under a link; 0 when the interface is gone. A kernel that does not answer is an
// error of its own: a link that may be alive is never let go of. So is a link of another kind.
Result<std::uint32_t> interface_of_link(int link);
// Whoever else has the link open: it is off.
void detach_link(int link);
// Takes a pinned link off its interface, and the pin away. No error when there is none.
Result<void> take_off(const std::string& pin);
// The same with every link that is pinned in a directory.
Result<void> detach_links(const std::string& directory);

}  // namespace bascule::dataplane
