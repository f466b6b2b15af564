// SPDX-License-Identifier: Apache-2.0
#include "sync/peer_path.h"

#include <algorithm>

namespace bascule::sync {

const Echo* PeerPath::proof(const Heartbeat& heartbeat, Incarnation self, Moment since,
                            Moment now) const {
    for (const Echo& echo : heartbeat.echoes) {
        const bool ours = echo.incarnation == self && echo.sequence >= 1 && echo.sequence <= sent_;
        if (ours && from_wire(echo.sent) >= since && from_wire(echo.sent) <= now) return &echo;
    }
    return nullptr;
}

void PeerPath::adopt(Incarnation incarnation) {
    window_ = {};
    book_.adopt(incarnation);
    last_echoed_ = 0;
}

void PeerPath::heard(const Heartbeat& heartbeat, Moment now, bool late) {
    ++received_;
    last_heard_ = now;
    book_.heard(heartbeat, now, late);
}

void PeerPath::echoed(const Echo& echo, Moment now, bool measure) {
    // The same one again says nothing new; an older one was overtaken.
    if (echo.sequence <= last_echoed_) return;
    last_echoed_ = echo.sequence;
    echoed_sent_ = from_wire(echo.sent);
    const std::uint64_t gone = to_wire(now) - echo.sent;
    if (!measure || echo.held > gone) return;
    round_trip_.add(Nanoseconds(static_cast<std::int64_t>(gone - echo.held)), now);
}

double PeerPath::loss(Moment now, Nanoseconds interval) const {
    if (received_ == 0) return 0;
    const auto silent = (now - last_heard_) / interval;
    return window_.loss(static_cast<std::uint64_t>(std::max<std::int64_t>(silent - 1, 0)));
}

}  // namespace bascule::sync
