// SPDX-License-Identifier: Apache-2.0
// The hands of takeover: a thread of its own that has the cluster's VIPs as addresses of this host,
// tells the network, keeps them by a lease that ends by itself, and mends what strangers do to
// them. A slow control thread (a reload, a hundred rings) does not delay it, and it delays no
// heartbeat.
//
// It is told what should be (sync::VipDuty), compares that with what is, and says what is
// (sync::VipHolding). Only the newest of both counts. Thread: made and destroyed by control; the
// rest as said.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "model/config.h"
#include "sync/takeover.h"

namespace bascule::node {

// The address stays so long after its last renewal; it is renewed every second.
inline constexpr std::chrono::seconds vip_lease{3};

// Somebody else on the link who says that a VIP is his: a host that is no peer, or a peer in a
// split.
struct VipRival {
    Address vip;
    std::string interface;
    Mac mac;
    // Frames: since this node holds the VIP; where rivals are looked for, since the last look.
    std::uint64_t count = 0;
    std::chrono::steady_clock::time_point last{};

    bool operator==(const VipRival&) const = default;
};

struct HeldVip {
    Address vip;
    std::string interface;
    bool here = false;
    std::string problem;
    std::uint64_t announced = 0;  // frames sent for it
    std::uint64_t restored = 0;   // times that a stranger had taken it away

    bool operator==(const HeldVip&) const = default;
};

struct VipHolderReport {
    std::vector<HeldVip> vips;
    std::vector<VipRival> rivals;  // of the last minute

    bool operator==(const VipHolderReport&) const = default;
};

class VipHolder {
public:
    struct Callbacks {
        // On the holder's thread, after every change, all of which there are duties of: to the
        // heartbeat thread. Of an absent VIP `here` says whether an address of ours is left.
        std::function<void(std::vector<sync::VipHolding>)> on_holdings;
        // On the control thread: the newest, when something in it has changed.
        std::function<void(const VipHolderReport&)> on_report;
        // On the holder's thread, every 50 ms while something is held: rivals as XDP has seen them
        // since the last call. This host's own MAC addresses may be among them. May be empty.
        std::function<std::vector<VipRival>()> look_for_rivals;
        // On the holder's thread, when it has found one of them that is not this host: all that
        // were seen within the last two seconds. May be empty.
        std::function<void(const std::vector<VipRival>&)> on_rivals{};
    };
    // Throws std::exception when the host has no descriptors left.
    VipHolder(boost::asio::io_context& control, std::vector<model::VipConfig> vips,
              Callbacks callbacks);
    // Carries out the newest duties, then leaves addresses in place, with what is left of their
    // lease; waits for the thread. Callbacks of that thread may come until then.
    ~VipHolder();

    // Any thread, and never waits for this one: the heartbeat thread calls it.
    void set_duties(std::vector<sync::VipDuty> duties);
    // Control thread. An address whose VIP is gone, or on another interface now, goes at once.
    void set_vips(std::vector<model::VipConfig> vips);
    // Its MAC address or its link has changed, or it was made anew.
    void look_at(const std::string& interface);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::node
