// SPDX-License-Identifier: Apache-2.0
#include "node/links.h"

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "node/ethtool.h"

namespace bascule::node {
namespace {

void read_vlan(const NetlinkAttributes& attributes, const NetlinkAttributes& info, Link& link) {
    // One that stands on a device of another namespace names an index of that one.
    if (!attributes.bytes(IFLA_LINK_NETNSID)) link.lower = attributes.u32(IFLA_LINK).value_or(0);
    const auto nested = info.bytes(IFLA_INFO_DATA);
    const auto data = nested ? NetlinkAttributes::parse_nested(*nested) : std::nullopt;
    if (!data) return;
    link.vlan = data->u16(IFLA_VLAN_ID).value_or(0);
    link.vlan_protocol = ntohs(data->u16(IFLA_VLAN_PROTOCOL).value_or(htons(ETH_P_8021Q)));
}

void read_kind(const NetlinkAttributes& attributes, Link& link) {
    const auto nested = attributes.bytes(IFLA_LINKINFO);
    const auto info = nested ? NetlinkAttributes::parse_nested(*nested) : std::nullopt;
    if (!info) return;
    link.kind = info->text(IFLA_INFO_KIND).value_or("");
    if (link.kind == "vlan") read_vlan(attributes, *info, link);
    // Bridges and VRFs are masters too; only a bond sends by its parts under its own name.
    if (info->text(IFLA_INFO_SLAVE_KIND) == "bond")
        link.bond = attributes.u32(IFLA_MASTER).value_or(0);
}

NetlinkResult<Link> query_link(NetlinkRequests& requests, const NetlinkMessage& request) {
    std::optional<Link> found;
    auto answer = requests.query(request, [&](const nlmsghdr& header) {
        if (header.nlmsg_type == RTM_NEWLINK) found = parse_link(header);
    });
    if (!answer) return tl::unexpected(std::move(answer.error()));
    if (!found) return tl::unexpected(NetlinkError{EBADMSG, "the kernel's answer makes no sense"});
    return *std::move(found);
}

NetlinkResult<Link> query_name(NetlinkRequests& requests, const std::string& name) {
    // The kernel's own word for a name that cannot be (EINVAL, ERANGE) would puzzle its reader.
    if (name.empty() || name.size() >= IFNAMSIZ) {
        return tl::unexpected(NetlinkError{ENODEV, "a name has 1 to 15 characters"});
    }
    NetlinkMessage request(RTM_GETLINK, 0);
    request.fixed(ifinfomsg{}).attribute(IFLA_IFNAME, name);
    auto link = query_link(requests, request);
    // Events carry the one real name; a watch by another one would never fire.
    if (link && link->name != name) {
        return tl::unexpected(NetlinkError{ENODEV, "is another name of " + link->name});
    }
    return link;
}

}  // namespace

std::optional<Link> parse_link(const nlmsghdr& message) {
    const auto info = fixed_part<ifinfomsg>(message);
    const auto attributes = NetlinkAttributes::parse(message, sizeof(ifinfomsg));
    // Bridges send messages of a family of their own, about ports instead of links.
    if (!info || !attributes || info->ifi_family != AF_UNSPEC) return std::nullopt;
    Link link;
    link.ifindex = static_cast<std::uint32_t>(info->ifi_index);
    link.name = attributes->text(IFLA_IFNAME).value_or("");
    link.mac = attributes->mac(IFLA_ADDRESS).value_or(Mac{});
    link.mtu = attributes->u32(IFLA_MTU).value_or(0);
    link.up = (info->ifi_flags & IFF_UP) != 0;
    link.carrier = link.up && attributes->u8(IFLA_CARRIER).value_or(0) != 0;
    link.ethernet = info->ifi_type == ARPHRD_ETHER;
    read_kind(*attributes, link);
    return link;
}

Result<Link> find_link(NetlinkRequests& requests, const std::string& name) {
    auto link = query_name(requests, name);
    if (!link) return failure(link.error().to_error().within("interface " + name));
    return *std::move(link);
}

Result<Link> find_link(NetlinkRequests& requests, std::uint32_t ifindex) {
    ifinfomsg info{};
    info.ifi_index = static_cast<int>(ifindex);
    NetlinkMessage request(RTM_GETLINK, 0);
    request.fixed(info);
    auto link = query_link(requests, request);
    if (!link) {
        return failure(link.error().to_error().within("interface " + std::to_string(ifindex)));
    }
    return *std::move(link);
}

std::string interface_name(std::uint32_t ifindex) {
    std::array<char, IF_NAMESIZE> name{};
    if (if_indextoname(ifindex, name.data()) == nullptr) {
        return "interface " + std::to_string(ifindex);
    }
    return name.data();
}

std::string driver_of(const std::string& interface) {
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    if (!ethtool(interface, &info)) return {};
    return {info.driver, strnlen(info.driver, sizeof info.driver)};
}

std::optional<bool> strips_vlan_tags(const std::string& interface) {
    ethtool_value flags{};
    flags.cmd = ETHTOOL_GFLAGS;
    if (!ethtool(interface, &flags)) return std::nullopt;
    return (flags.data & ETH_FLAG_RXVLAN) != 0;
}

Result<void> set_feature(const std::string& interface, std::uint32_t set_command,
                         std::uint32_t get_command, bool on) {
    ethtool_value value{set_command, on ? 1U : 0U};
    if (!ethtool(interface, &value))
        return failure(Error::system("set up offloads of " + interface, errno));
    value = {get_command, 0};
    if (!ethtool(interface, &value) || (value.data != 0) != on)
        return failure("set up offloads of " + interface + ": the driver keeps them as they were");
    return {};
}

std::vector<Link> bond_parts(NetlinkRequests& requests, std::uint32_t bond) {
    std::vector<Link> parts;
    NetlinkMessage request(RTM_GETLINK, NLM_F_DUMP);
    request.fixed(ifinfomsg{});
    const auto done = requests.query(request, [&](const nlmsghdr& header) {
        const auto link =
            header.nlmsg_type == RTM_NEWLINK ? parse_link(header) : std::optional<Link>();
        if (link && link->bond == bond) parts.push_back(*link);
    });
    return done ? parts : std::vector<Link>();
}

LinkWatch::LinkWatch(NetlinkRequests requests, OnChange on_change)
    : requests_(std::move(requests)), on_change_(std::move(on_change)) {}

Result<std::unique_ptr<LinkWatch>> LinkWatch::open(boost::asio::io_context& io,
                                                   OnChange on_change) {
    auto requests = NetlinkRequests::open();
    if (!requests) return failure(std::move(requests.error()).within("watch interfaces"));
    std::unique_ptr<LinkWatch> watch(new LinkWatch(std::move(*requests), std::move(on_change)));
    auto events = NetlinkEvents::open(
        io, {RTNLGRP_LINK},
        [self = watch.get()](const nlmsghdr& header) { self->on_message(header); },
        [self = watch.get()] {
            ++self->overruns_;
            self->reread();
        });
    if (!events) return failure(std::move(events.error()).within("watch interfaces"));
    watch->events_ = std::move(*events);
    return watch;
}

Result<void> LinkWatch::set_names(const std::vector<std::string>& names) {
    std::map<std::string, std::optional<Link>> links;
    for (const std::string& name : names) {
        // To read it anew would hide a change whose event is still on its way.
        if (const auto known = links_.find(name); known != links_.end()) {
            links[name] = known->second;
            continue;
        }
        auto link = query_name(requests_, name);
        if (!link && link.error().code != ENODEV) {
            return failure(link.error().to_error().within("interface " + name));
        }
        links[name] = link ? std::optional(*std::move(link)) : std::nullopt;
    }
    links_ = std::move(links);
    return {};
}

std::optional<Link> LinkWatch::get(const std::string& name) const {
    const auto found = links_.find(name);
    return found == links_.end() ? std::nullopt : found->second;
}

// An event may be older than what set_names() has read; the newer one follows it.
void LinkWatch::on_message(const nlmsghdr& header) {
    if (header.nlmsg_type != RTM_NEWLINK && header.nlmsg_type != RTM_DELLINK) return;
    const auto link = parse_link(header);
    if (!link) return;
    const bool exists = header.nlmsg_type == RTM_NEWLINK;
    std::vector<std::string> gone;
    for (const auto& [name, known] : links_) {
        if (known && known->ifindex == link->ifindex && (!exists || name != link->name)) {
            gone.push_back(name);
        }
    }
    for (const std::string& name : gone)
        set(name, std::nullopt);
    if (exists) set(link->name, link);
}

void LinkWatch::reread() {
    std::vector<std::string> names;
    for (const auto& [name, link] : links_)
        names.push_back(name);
    for (const std::string& name : names) {
        auto link = query_name(requests_, name);
        if (link)
            set(name, *std::move(link));
        else if (link.error().code == ENODEV)
            set(name, std::nullopt);
    }
}

void LinkWatch::set(const std::string& name, std::optional<Link> now) {
    const auto found = links_.find(name);
    if (found == links_.end() || found->second == now) return;
    LinkChange change{name, std::exchange(found->second, now), std::move(now)};
    on_change_(change);
}

}  // namespace bascule::node
