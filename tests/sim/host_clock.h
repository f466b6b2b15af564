// SPDX-License-Identifier: Apache-2.0
// The clocks of one host: monotonic ones with an origin of their own that drift
// a little, and a wall clock that anybody may set.
#pragma once

#include <cmath>

#include "sim/plan.h"
#include "sync/moment.h"
#include "sync/session_record.h"

namespace bascule::sim {

class HostClock {
public:
    // `parts`: per million too fast.
    HostClock(std::chrono::seconds origin, double parts) : origin_(origin), parts_(parts) {}

    sync::Moment monotonic(Time now) const { return sync::Moment(since_boot(now)); }
    sync::Seconds32 seconds(Time now) const {
        return static_cast<sync::Seconds32>(since_boot(now) / 1s);
    }
    // When that second began.
    Time world_time(sync::Seconds32 seconds, Time now) const {
        const auto ago = static_cast<std::int32_t>(this->seconds(now) - seconds);
        const Time in_second = since_boot(now) % 1s;
        return now - in_second - ago * Time(1s);
    }
    sync::WallMilliseconds wall(Time now) const {
        return static_cast<sync::WallMilliseconds>((wall_ + now) / 1ms);
    }

    void step_wall(Time by) { wall_ += by; }
    // The host starts again: another origin.
    void reboot(std::chrono::seconds origin) { origin_ = origin; }

private:
    Time since_boot(Time now) const {
        const auto drift =
            static_cast<std::int64_t>(static_cast<double>(now.count()) * parts_ * 1e-6);
        return origin_ + now + Time(drift);
    }

    Time origin_;
    double parts_;
    Time wall_ = std::chrono::hours(24 * 20'000);
};

}  // namespace bascule::sim
