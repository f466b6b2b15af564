// SPDX-License-Identifier: Apache-2.0
// VipHands in a network of its own, with another host on the wire that counts what it is told.
// Single-threaded.
#pragma once

#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "node/arp.h"
#include "node/nd.h"
#include "node/vip_hands.h"
#include "tests/unit/node/netns.h"

namespace bascule::node::testing {

class HandsWorld : public Namespaces {
protected:
    using What = sync::VipDuty::What;

    void SetUp() override {
        Namespaces::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        there([this] {
            ear_ = Descriptor(
                ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL)));
        });
        ASSERT_TRUE(ear_);
        hands_ = make();
    }
    void TearDown() override {
        hands_.reset();
        Namespaces::TearDown();
    }

    // As a rule it never takes this busy machine's pauses for sleep.
    std::unique_ptr<VipHands> make(std::chrono::milliseconds nap = std::chrono::hours(1)) {
        return std::make_unique<VipHands>(
            io_, vips_,
            VipHands::Callbacks{[this](std::vector<sync::VipHolding> now) { holdings_ = now; },
                                [this](const VipHolderReport& now) { report_ = now; },
                                [this] { return std::exchange(rivals_, {}); },
                                [this](const std::vector<VipRival>& now) { told_rivals_ = now; }},
            nap);
    }
    static sync::VipDuty duty(const Address& vip, What what, sync::Epoch epoch = 1,
                              std::uint64_t announcements = 0) {
        return {sync::vip_id(vip), what, epoch, announcements, false};
    }
    void set(What what, sync::Epoch epoch = 1, std::uint64_t announcements = 0) {
        hands_->set_duties(
            {duty(vip4_, what, epoch, announcements), duty(vip6_, what, epoch, announcements)});
    }
    // What it has answered about a VIP, but for when that was; an epoch of 0: nothing.
    sync::VipHolding holding(const Address& vip) const {
        for (auto one : holdings_) {
            one.confirmed = {};
            if (one.vip == sync::vip_id(vip)) return one;
        }
        return {};
    }
    // When its lease began that the kernel has now; nullopt: that is not told.
    std::optional<std::chrono::steady_clock::time_point> confirmed(const Address& vip) const {
        for (const auto& one : holdings_)
            if (one.vip == sync::vip_id(vip) && one.confirmed != sync::Moment{})
                return one.confirmed;
        return std::nullopt;
    }
    HeldVip reported(const Address& vip) const {
        for (const auto& one : report_.vips)
            if (one.vip == vip) return one;
        return {};
    }
    bool here(const Address& vip, const std::string& interface = "eth0") const {
        return !shown(vip, interface).empty();
    }
    static std::string shown(const Address& vip, const std::string& interface = "eth0") {
        return output("ip addr show dev " + interface + " to " + vip.to_string() + " 2>/dev/null");
    }
    static void take_away(const Address& vip) {
        run("ip addr del " + vip.to_string() + (vip.is_v4() ? "/32" : "/128") + " dev eth0");
    }

    // Announcements of the VIP that the other host has heard since the last call.
    int heard(const Address& vip) {
        std::array<std::uint8_t, 1514> frame;
        ssize_t size;
        while ((size = ::recv(ear_.get(), frame.data(), frame.size(), 0)) > 0) {
            const std::span<const std::uint8_t> all(frame.data(), static_cast<std::size_t>(size));
            if (const auto arp = parse_arp(all); arp && arp->sender_ip == arp->target_ip)
                ++heard_[arp->sender_ip];
            if (const auto nd = parse_nd(all); nd && nd->advertisement) ++heard_[nd->target];
        }
        return std::exchange(heard_[vip], 0);
    }
    bool hears(const Address& vip, int least) {
        int count = 0;
        return run_until([&] { return (count += heard(vip)) >= least; });
    }

    const Address vip4_ = ip("10.9.0.100");
    const Address vip6_ = ip("2001:db8::100");
    std::vector<model::VipConfig> vips_{{vip4_, "eth0", {}}, {vip6_, "eth0", {}}};
    std::unique_ptr<VipHands> hands_;
    std::vector<sync::VipHolding> holdings_;
    VipHolderReport report_;
    std::vector<VipRival> rivals_;
    std::vector<VipRival> told_rivals_;

private:
    Descriptor ear_;
    std::map<Address, int> heard_;
};

}  // namespace bascule::node::testing
