// SPDX-License-Identifier: Apache-2.0
#include "node/probe_path.h"

#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <vector>

#include "node/links.h"
#include "node/netlink.h"
#include "node/probe_routes.h"

namespace bascule::node {
namespace {

const std::string stack_end = probe_stack_end;
const std::string our_end = probe_our_end;
// Given at birth: to a link whose address is the kernel's choice udev gives another one a moment
// later, while XDP goes on to send answers to the first. On no wire they are seen.
constexpr Mac stack_mac{{0x02, 0xba, 0x5c, 0x70, 0x00, 0x00}};
constexpr Mac our_mac{{0x02, 0xba, 0x5c, 0x70, 0x00, 0x01}};
// Answers are as large as their server likes; what is sent is bounded by the route.
constexpr std::uint32_t mtu = 9000;

std::array<ProbeNetwork, 2> networks_of(const model::NodeConfig& node) {
    return {{{node.probe_network_v4, 32 - BSC_PROBE_ADDRESS_BITS, "probe_network_v4"},
             {node.probe_network_v6, 96, "probe_network_v6"}}};
}

// ---- the pair ----

struct End {
    std::uint32_t ifindex = 0;
    std::uint32_t peer = 0;  // 0: not here
    bool veth = false;
};

// Nullopt: there is no interface of that name.
Result<std::optional<End>> find_end(NetlinkRequests& requests, const std::string& name) {
    NetlinkMessage request(RTM_GETLINK, 0);
    request.fixed(ifinfomsg{}).attribute(IFLA_IFNAME, name);
    std::optional<End> end;
    const auto done = requests.query(request, [&](const nlmsghdr& header) {
        const auto link = parse_link(header);
        const auto attributes = NetlinkAttributes::parse(header, sizeof(ifinfomsg));
        if (!link || !attributes) return;
        const bool here = !attributes->bytes(IFLA_LINK_NETNSID);
        end = {link->ifindex, here ? attributes->u32(IFLA_LINK).value_or(0) : 0,
               link->kind == "veth"};
    });
    if (!done && done.error().code != ENODEV)
        return failure(done.error().to_error().within("interface " + name));
    return end;
}

struct Pair {
    std::uint32_t stack = 0;
    std::uint32_t ours = 0;
};

// Nullopt: neither name is in use. Fails when one is, and not for two ends of one pair.
Result<std::optional<Pair>> find_pair(NetlinkRequests& requests) {
    auto stack = find_end(requests, stack_end);
    if (!stack) return failure(std::move(stack.error()));
    auto ours = find_end(requests, our_end);
    if (!ours) return failure(std::move(ours.error()));
    if (!*stack && !*ours) return std::nullopt;
    if (*stack && *ours && (*stack)->veth && (*ours)->veth && (*stack)->peer == (*ours)->ifindex &&
        (*ours)->peer == (*stack)->ifindex)
        return Pair{(*stack)->ifindex, (*ours)->ifindex};
    const std::string& name = *stack ? stack_end : our_end;
    return failure("this host has an interface " + name + " that is not one of the veth pair " +
                   stack_end + "–" + our_end +
                   " of checks by the VIP, which needs both names: rename or remove it (`ip link "
                   "del " +
                   name + "`)");
}

Result<void> make_pair(NetlinkRequests& requests) {
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.fixed(ifinfomsg{})
        .attribute(IFLA_IFNAME, stack_end)
        .attribute(IFLA_MTU, mtu)
        .attribute(IFLA_ADDRESS, stack_mac.bytes);
    message.nested(IFLA_LINKINFO, [](NetlinkMessage& info) {
        info.attribute(IFLA_INFO_KIND, std::string("veth"));
        info.nested(IFLA_INFO_DATA, [](NetlinkMessage& data) {
            data.nested(VETH_INFO_PEER, [](NetlinkMessage& peer) {
                peer.fixed(ifinfomsg{})
                    .attribute(IFLA_IFNAME, our_end)
                    .attribute(IFLA_MTU, mtu)
                    .attribute(IFLA_ADDRESS, our_mac.bytes);
            });
        });
    });
    if (const auto made = requests.change(message); !made)
        return failure(
            made.error().to_error().within("make the veth pair " + stack_end + "–" + our_end));
    return {};
}

// ---- its ends ----

std::string setting(const char* interface, const char* name) {
    return std::string("/proc/sys/net/ipv6/conf/") + interface + "/" + name;
}

// Empty: there is no such setting, so no IPv6.
std::string read_setting(const std::string& path) {
    std::string value;
    std::ifstream(path) >> value;
    return value;
}

// Whether IPv6 works on the pair. It may be off for new interfaces alone, which is no word on it.
bool allow_ipv6() {
    const std::string own = setting(stack_end.c_str(), "disable_ipv6");
    if (read_setting(own) == "1" && read_setting(setting("all", "disable_ipv6")) == "0")
        std::ofstream(own) << "0" << std::flush;
    return read_setting(own) == "0";
}

// Before it is up: a link-local address would be there from then on.
Result<void> set_up_end(NetlinkRequests& requests, const std::string& name, std::uint32_t ifindex,
                        const Mac& mac) {
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(ifindex);
    NetlinkMessage message(RTM_SETLINK, 0);
    message.fixed(info)
        .attribute(IFLA_MTU, mtu)
        .attribute(IFLA_ADDRESS, mac.bytes)
        .attribute(IFLA_IFALIAS, std::string("bascule: health checks by the VIP"));
    if (!read_setting(setting(name.c_str(), "addr_gen_mode")).empty())
        message.nested(IFLA_AF_SPEC, [](NetlinkMessage& families) {
            families.nested(AF_INET6, [](NetlinkMessage& ipv6) {
                ipv6.attribute(IFLA_INET6_ADDR_GEN_MODE,
                               static_cast<std::uint8_t>(IN6_ADDR_GEN_MODE_NONE));
            });
        });
    if (const auto set = requests.change(message); !set)
        return failure(set.error().to_error().within("set up " + name));
    // The flags in a request of their own, as they take the interface up.
    info.ifi_flags = IFF_UP | IFF_NOARP;
    info.ifi_change = IFF_UP | IFF_NOARP;
    NetlinkMessage flags(RTM_SETLINK, 0);
    flags.fixed(info);
    if (const auto up = requests.change(flags); !up)
        return failure(up.error().to_error().within("take " + name + " up"));
    return {};
}

// XDP at the far end changes addresses and so checksums, which have to be whole, of packets of the
// wire's size. Answers are redirected to our end: the stack's end takes those in by its GRO alone.
Result<void> set_up_offloads() {
    struct Feature {
        std::uint32_t set_command, get_command;
        bool on;
    };
    constexpr Feature features[] = {{ETHTOOL_STSO, ETHTOOL_GTSO, false},
                                    {ETHTOOL_SGSO, ETHTOOL_GGSO, false},
                                    {ETHTOOL_STXCSUM, ETHTOOL_GTXCSUM, false},
                                    {ETHTOOL_SGRO, ETHTOOL_GGRO, true}};
    for (const Feature& feature : features)
        if (auto set = set_feature(stack_end, feature.set_command, feature.get_command, feature.on);
            !set)
            return set;
    return {};
}

Result<void> set_up(NetlinkRequests& requests, const Pair& pair) {
    if (auto set = set_up_offloads(); !set) return set;
    if (auto up = set_up_end(requests, our_end, pair.ours, our_mac); !up) return up;
    return set_up_end(requests, stack_end, pair.stack, stack_mac);
}

Result<dataplane::ProbePath> open_path(const model::NodeConfig& node) {
    auto requests = NetlinkRequests::open();
    if (!requests) return failure(std::move(requests.error()));
    auto pair = find_pair(*requests);
    if (!pair) return failure(std::move(pair.error()));
    // Before anything of this host is changed.
    const auto networks = networks_of(node);
    std::array<std::vector<ProbeRoute>, networks.size()> routes;
    for (std::size_t i = 0; i < networks.size(); ++i) {
        auto checked = check_probe_network(*requests, networks[i], *pair ? (*pair)->stack : 0);
        if (!checked) return failure(std::move(checked.error()));
        routes[i] = std::move(*checked);
    }
    if (!*pair) {
        if (auto made = make_pair(*requests); !made) return failure(std::move(made.error()));
        pair = find_pair(*requests);
        if (!pair) return failure(std::move(pair.error()));
        if (!*pair) return failure(stack_end + " is gone already, and not by us");
    }
    if (auto done = set_up(*requests, **pair); !done) return failure(std::move(done.error()));
    const bool ipv6 = allow_ipv6();
    for (std::size_t i = 0; i < networks.size(); ++i) {
        if (!networks[i].address.is_v4() && !ipv6) continue;
        if (auto set = set_probe_route(*requests, networks[i], (*pair)->stack, routes[i]); !set)
            return failure(std::move(set.error()));
    }
    const auto stack = find_link(*requests, (*pair)->stack);
    if (!stack) return failure(stack.error());
    return dataplane::ProbePath{our_end, (*pair)->ours, stack->mac};
}

}  // namespace

Address probe_address(const model::NodeConfig& node, const Address& vip, std::uint16_t slot,
                      std::uint8_t generation) {
    Address::Bytes bytes = (vip.is_v4() ? node.probe_network_v4 : node.probe_network_v6).bytes();
    std::uint32_t name = slot | std::uint32_t{generation} << BSC_PROBE_SLOT_BITS;
    for (auto byte = bytes.rbegin(); name != 0; ++byte, name >>= 8)
        *byte = static_cast<std::uint8_t>(*byte | (name & 0xff));
    return Address(bytes);
}

Result<dataplane::ProbePath> open_probe_path(const model::NodeConfig& node) {
    auto path = open_path(node);
    if (!path) return failure(std::move(path.error()).within("the way of checks by the VIP"));
    return path;
}

Result<void> remove_probe_path() {
    auto requests = NetlinkRequests::open();
    if (!requests) return failure(std::move(requests.error()));
    const auto pair = find_pair(*requests);
    // What has the names and is not ours stays.
    if (!pair || !*pair) return {};
    ifinfomsg info{};
    info.ifi_index = static_cast<int>((*pair)->stack);
    NetlinkMessage message(RTM_DELLINK, 0);
    message.fixed(info);
    const auto gone = requests->change(message);
    if (gone || gone.error().code == ENODEV) return {};
    return failure(gone.error().to_error().within("remove " + stack_end));
}

}  // namespace bascule::node
