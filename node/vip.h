// SPDX-License-Identifier: Apache-2.0
// VIPs as addresses of this host's interfaces. Thread: control.
//
// A VIP must never become the source of the node's own traffic. IPv4: a /32 of scope "host", which
// the kernel's choice of source passes over. IPv6: a /128 that is deprecated from the start
// (preferred lifetime 0), without duplicate detection by the kernel (the daemon probes before) and
// without a route of its own. Each is marked with the daemon's own address protocol, so that a
// daemon that starts again knows its own.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "node/netlink.h"

namespace bascule::node {

struct HostAddress {
    Address address;
    std::uint8_t prefix_length = 0;
    std::uint32_t ifindex = 0;
    bool ours = false;  // set by this daemon, now or in an earlier run

    bool operator==(const HostAddress&) const = default;
};

enum class VipOutcome {
    added,
    adopted,  // was there, set by an earlier run of this daemon
    found,    // was there as /32 or /128, set by someone else; is used as it is
};

struct VipLost {
    Address address;
    std::string interface;
};

class VipAddresses {
public:
    // A VIP that add() set is gone from its interface, and not by remove(): whoever is called sets
    // it again, and is wise to do so at a bounded pace. Called from the io_context, never from
    // inside a member function. It may call any member.
    using OnLost = std::function<void(const VipLost&)>;

    static Result<std::unique_ptr<VipAddresses>> open(boost::asio::io_context& io, OnLost on_lost);

    // Sets the VIP, and watches it from then on. Idempotent. Fails, with its place, when the
    // interface does not exist, the address is on another interface, or is on this one with a
    // shorter prefix: "set 10.9.0.100 on eth0: is already on eth1".
    Result<VipOutcome> add(const Address& vip, const std::string& interface);

    // Takes the VIP away as /32 or /128, whoever set it, and watches it no more. False: it was not
    // there.
    Result<bool> remove(const Address& vip, const std::string& interface);

    // Leaves it in place, and watches it no more.
    void forget(const Address& vip) { held_.erase(vip); }

    // All addresses of the host, or of one interface.
    Result<std::vector<HostAddress>> list();
    Result<std::vector<HostAddress>> list(const std::string& interface);

    std::uint64_t overruns() const { return overruns_; }

private:
    struct Holding {
        std::string interface;
        std::uint32_t ifindex = 0;
    };

    VipAddresses(NetlinkRequests requests, OnLost on_lost);
    void on_message(const nlmsghdr& header);
    void reread();
    void lose(const Address& vip);
    Result<VipOutcome> set(const Address& vip, const std::string& interface);

    NetlinkRequests requests_;
    OnLost on_lost_;
    std::map<Address, Holding> held_;
    std::uint64_t overruns_ = 0;
    std::unique_ptr<NetlinkEvents> events_;
};

}  // namespace bascule::node
