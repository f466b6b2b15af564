// SPDX-License-Identifier: Apache-2.0
// The data plane's clock, from user space.
//
// XDP counts seconds by the kernel's ticks, which cost it nothing; how many there are in a second
// (HZ) is a constant of the kernel that nobody tells, so it is measured once. The ticks themselves
// are driven by CLOCK_MONOTONIC, so between two looks at them that clock tells them, too.
//
// Immutable once open: seconds() may be called from any thread.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace bascule::dataplane {

class KernelClock {
public:
    // Takes a tenth of a second, or some more where the machine is busy.
    static Result<KernelClock> open();

    std::uint32_t hz() const { return hz_; }
    // seconds = jiffies * multiplier >> 24, in XDP and here.
    std::uint32_t multiplier() const;
    // Within one second of what XDP reads.
    std::uint32_t seconds() const;

private:
    std::uint32_t hz_ = 0;
    std::uint64_t jiffies_ = 0;  // at `nanoseconds_` of CLOCK_MONOTONIC
    std::uint64_t nanoseconds_ = 0;
};

// The HZ that kernels are built with nearest to `ticks` in `nanoseconds`; 0 when none is near.
std::uint32_t nearest_hz(std::uint64_t ticks, std::uint64_t nanoseconds);

}  // namespace bascule::dataplane
