// SPDX-License-Identifier: Apache-2.0
// XDP links of the kernel: a program on an interface, for as long as the link is open or pinned.
// Any thread.
#pragma once

#include <cstdint>

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
// error of its own: a link that may be alive is never let go of.
Result<std::uint32_t> interface_of_link(int link);
// Whoever else has the link open: it is off.
void detach_link(int link);

}  // namespace bascule::dataplane
