// SPDX-License-Identifier: Apache-2.0
// VIPs as addresses of this host's interfaces. Thread: that of the io_context.
//
// A VIP must never become the source of the node's own traffic. IPv4: a /32 of scope "host", which
// the kernel's choice of source passes over. IPv6: a /128 that is deprecated from the start
// (preferred lifetime 0), without duplicate detection by the kernel (the daemon probes before) and
// without a route of its own. Each is marked with the daemon's own address protocol, so that a
// daemon that starts again knows its own. IPv4 as /32, whatever prefix the node's own address has:
// so neither is ever a secondary address of the other, and goes with it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "node/netlink.h"

namespace bascule::node {

struct Link;

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

// How long an address stays after it was set or renewed; then the kernel takes it away by itself,
// at most about a second late. None: for ever.
using VipLease = std::optional<std::chrono::seconds>;

struct VipRemoval {
    bool removed = false;
    std::string left_on;  // the interface that has it by somebody else's doing; empty: none
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
    //
    // With a lease, one of our own on another interface is moved, and one that somebody else has
    // set is refused: it would not go by itself, and may be what this host lives by.
    Result<VipOutcome> add(const Address& vip, const std::string& interface, VipLease lease = {});

    // From now on it stays for `lease`. One request of the kernel, which sets it again if it had
    // just gone. Fails when it is not watched (it is lost), or its interface is gone.
    Result<void> renew(const Address& vip, std::chrono::seconds lease);

    // Takes the VIP away as /32 or /128, whoever set it, and watches it no more. False: it was not
    // there.
    Result<bool> remove(const Address& vip, const std::string& interface);

    // Takes away what was set of it by this daemon, now or in an earlier run, on whatever
    // interface, and watches it no more. What somebody else has set stays.
    Result<VipRemoval> remove_ours(const Address& vip);

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
    Result<VipOutcome> set(const Address& vip, const std::string& interface, VipLease lease);
    Result<std::optional<VipOutcome>> look_for(const Address& vip, const Link& link,
                                               VipLease lease);
    NetlinkResult<void> remove_from(const Address& vip, std::uint32_t ifindex);

    NetlinkRequests requests_;
    OnLost on_lost_;
    std::map<Address, Holding> held_;
    std::uint64_t overruns_ = 0;
    std::unique_ptr<NetlinkEvents> events_;
};

}  // namespace bascule::node
