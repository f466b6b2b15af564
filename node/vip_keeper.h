// SPDX-License-Identifier: Apache-2.0
// Holds this node's VIPs: asks whether an address is free before it is taken, sets it, announces
// it, sets it again when a stranger takes it away, and lets it go.
//
// Destroying it leaves every address in place: a single node's VIP outlives its daemon.
// Thread: control.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/config.h"
#include "node/address_probe.h"
#include "node/vip.h"
#include "node/vip_announcer.h"

namespace bascule::node {

struct VipStatus {
    std::string interface;
    bool held = false;
    std::string problem;  // empty: none
};

class VipKeeper {
public:
    // Told whenever this host gets or loses an address, also from inside a member function; it may
    // call none.
    using OnHeld = std::function<void(const Address& vip, bool held)>;

    static Result<std::unique_ptr<VipKeeper>> open(
        boost::asio::io_context& io, OnHeld on_held = [](const Address&, bool) {});

    // Fails when another host answers for one of them, naming its MAC address, or when an interface
    // is not there. Those that this host has already are not asked for. An interface without
    // carrier cannot be asked: that is logged, and no reason to fail. Takes at most a second.
    boost::asio::awaitable<Result<void>> check_free(std::vector<model::VipConfig> vips);
    // Whether this host has the address, whoever has set it; false when the kernel does not say.
    bool is_here(const Address& vip) const;

    // Sets and announces. On failure the status tells it, too.
    Result<void> hold(const model::VipConfig& vip);
    // As hold(); what fails is logged, and tried again every few seconds until it is released.
    void keep(const model::VipConfig& vip);
    // Those of an interface that was made anew.
    void keep_on(const std::string& interface);
    // Tells the network again where the VIPs of an interface are: its MAC address or its link
    // changed.
    void announce_on(const std::string& interface);
    // Takes the address away. Fails when the kernel refuses; one that is gone already is well.
    Result<void> release(const Address& vip);
    // Looks after none any more, and leaves all in place: the cluster's holder has them from now
    // on.
    void leave();

    const std::map<Address, VipStatus>& status() const { return held_; }
    std::uint64_t restored() const { return restored_; }

    // Takes away every address that a daemon of ours has set on this host, but those that `keep`
    // says. Returns them.
    static Result<std::vector<std::string>> release_others(
        const std::function<bool(const Address&)>& keep);

private:
    VipKeeper(boost::asio::io_context& io, OnHeld on_held);
    void on_lost(const VipLost& lost);
    void restore_in(std::chrono::milliseconds delay, const Address& vip);

    boost::asio::io_context& io_;
    OnHeld on_held_;
    std::unique_ptr<VipAddresses> addresses_;
    DuplicateProbe probe_;
    VipAnnouncer announcer_;
    std::map<Address, VipStatus> held_;
    std::map<Address, boost::asio::steady_timer> restoring_;
    std::uint64_t restored_ = 0;
};

}  // namespace bascule::node
