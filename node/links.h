// SPDX-License-Identifier: Apache-2.0
// Network interfaces: looked up by name, and watched. Thread: control.
#pragma once

#include <boost/asio/io_context.hpp>
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

struct Link {
    std::string name;
    std::uint32_t ifindex = 0;
    Mac mac;
    std::uint32_t mtu = 0;
    bool up = false;       // switched on by the administrator
    bool carrier = false;  // up, and the far end is there
    bool ethernet =
        false;         // has an Ethernet header and a 6-byte address; not so: loopback, tunnels
    std::string kind;  // "veth", "bond", "vlan"; empty for hardware

    std::uint32_t bond = 0;           // index of the bond that it is a part of; 0: none
    std::uint32_t lower = 0;          // of a VLAN interface: the device below; 0: none on this host
    std::uint16_t vlan = 0;           // of a VLAN interface: its id
    std::uint16_t vlan_protocol = 0;  // ETH_P_8021Q or ETH_P_8021AD, host order

    bool operator==(const Link&) const = default;
};

// Of an RTM_NEWLINK or RTM_DELLINK; nullopt: it is not about a link.
std::optional<Link> parse_link(const nlmsghdr& message);

// As routes name it: the bond's index for what is part of one, else its own.
inline std::uint32_t route_ifindex(const Link& link) {
    return link.bond != 0 ? link.bond : link.ifindex;
}

// Error: "interface eth9: No such device".
Result<Link> find_link(NetlinkRequests& requests, const std::string& name);
Result<Link> find_link(NetlinkRequests& requests, std::uint32_t ifindex);

// For messages: "eth0", or "interface 7" when it is gone.
std::string interface_name(std::uint32_t ifindex);

// The driver behind an interface ("ixgbe"), as ethtool -i says; empty when it has none to name.
std::string driver_of(const std::string& interface);

// Whether the NIC takes 802.1Q tags off frames before XDP sees them (`ethtool -k`, rxvlan);
// nullopt: it does not tell.
std::optional<bool> strips_vlan_tags(const std::string& interface);

// One of ethtool's flags, by its pair of commands (ETHTOOL_STXCSUM, ETHTOOL_GTXCSUM). Fails when
// the driver refuses, or says yes and does not.
Result<void> set_feature(const std::string& interface, std::uint32_t set_command,
                         std::uint32_t get_command, bool on);

// What a bond is made of; empty when the kernel does not tell.
std::vector<Link> bond_parts(NetlinkRequests& requests, std::uint32_t bond);

// What became of a watched name. MAC, MTU, up or carrier changed: `before` and `now` differ in it.
// Deleted or renamed away: no `now`. Created: no `before`. Deleted and made again faster than it
// was seen: another ifindex.
struct LinkChange {
    std::string name;
    std::optional<Link> before;
    std::optional<Link> now;
};

class LinkWatch {
public:
    // Called from the io_context, never from inside a member function. It may call any member.
    using OnChange = std::function<void(const LinkChange&)>;

    static Result<std::unique_ptr<LinkWatch>> open(boost::asio::io_context& io, OnChange on_change);

    // The names to watch from now on. Reads the present state of new ones without calling back;
    // those that stay keep what was last seen of them.
    Result<void> set_names(const std::vector<std::string>& names);

    // As last seen; nullopt: no such interface, or not watched.
    std::optional<Link> get(const std::string& name) const;

    std::uint64_t overruns() const { return overruns_; }

private:
    LinkWatch(NetlinkRequests requests, OnChange on_change);
    void on_message(const nlmsghdr& header);
    void reread();
    void set(const std::string& name, std::optional<Link> now);

    NetlinkRequests requests_;
    OnChange on_change_;
    std::map<std::string, std::optional<Link>> links_;  // the watched names
    std::uint64_t overruns_ = 0;
    std::unique_ptr<NetlinkEvents> events_;
};

}  // namespace bascule::node
