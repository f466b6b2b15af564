// SPDX-License-Identifier: Apache-2.0
// Who else says that he has a VIP of this node: remembered for the report, and answered by another
// announcement at a bounded pace, so that a fight on the wire never becomes a flood. Bounded: at
// most `most_rivals`, the one that is silent longest goes. Thread: that of the holder.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/address.h"
#include "node/netlink.h"
#include "node/vip_holder.h"

namespace bascule::node {

class VipRivals {
public:
    using Time = std::chrono::steady_clock::time_point;
    static constexpr std::size_t most_rivals = 256;
    // Between two answers to the rivals of a VIP.
    static constexpr std::chrono::milliseconds pace{200};

    // All MAC addresses of this host; asked for when one is seen that is not known.
    using OwnMacs = std::function<std::set<Mac>()>;
    explicit VipRivals(OwnMacs own_macs) : own_macs_(std::move(own_macs)) {}

    // `seen`: claims to VIPs that this node holds. Returns those that are to be announced now; one
    // that comes too early for that is answered at the next call.
    std::vector<Address> take(const std::vector<VipRival>& seen, Time now);
    // It is held from now on, or no more.
    void forget(const Address& vip);

    // Those that were seen within the last minute.
    std::vector<VipRival> recent(Time now) const;

private:
    bool is_own(const Mac& mac, Time now);
    void note(const VipRival& seen, Time now);

    OwnMacs own_macs_;
    std::set<Mac> own_;
    Time asked_{};
    std::map<std::pair<Address, Mac>, VipRival> known_;
    std::set<Address> unanswered_;
    std::map<Address, Time> answered_;
};

// MAC addresses of all interfaces of this host; empty when the kernel does not tell.
std::set<Mac> macs_of_this_host();

}  // namespace bascule::node
