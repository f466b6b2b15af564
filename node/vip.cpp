// SPDX-License-Identifier: Apache-2.0
#include "node/vip.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/interface_index.h"
#include "node/links.h"

namespace bascule::node {
namespace {

// Marks an address as set by this daemon (IFA_PROTO). Numbers below 4 are the kernel's.
constexpr std::uint8_t our_protocol = 0xba;

std::uint8_t host_prefix(const Address& address) {
    return address.is_v4() ? 32 : 128;
}

std::optional<HostAddress> parse_address(const nlmsghdr& header) {
    const auto info = fixed_part<ifaddrmsg>(header);
    const auto attributes = NetlinkAttributes::parse(header, sizeof(ifaddrmsg));
    if (!info || !attributes) return std::nullopt;
    // On a point-to-point interface IFA_ADDRESS is the far end; IPv6 sends IFA_LOCAL only there.
    auto address = attributes->address(IFA_LOCAL);
    if (!address) address = attributes->address(IFA_ADDRESS);
    if (!address) return std::nullopt;
    return HostAddress{*address, info->ifa_prefixlen, info->ifa_index,
                       attributes->u8(IFA_PROTO) == our_protocol};
}

NetlinkMessage address_message(std::uint16_t type, std::uint16_t flags, const Address& vip,
                               std::uint32_t ifindex) {
    ifaddrmsg info{};
    info.ifa_family = family_of(vip);
    info.ifa_prefixlen = host_prefix(vip);
    info.ifa_index = ifindex;
    info.ifa_scope = vip.is_v4() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
    NetlinkMessage message(type, flags);
    message.fixed(info).attribute(IFA_LOCAL, vip).attribute(IFA_ADDRESS, vip);
    return message;
}

// `how`: NLM_F_EXCL or NLM_F_REPLACE.
NetlinkMessage set_message(const Address& vip, std::uint32_t ifindex, VipLease lease,
                           std::uint16_t how) {
    auto message = address_message(RTM_NEWADDR, NLM_F_CREATE | how, vip, ifindex);
    message.attribute(IFA_PROTO, our_protocol);
    if (!vip.is_v4())
        message.attribute(IFA_FLAGS, std::uint32_t{IFA_F_NODAD | IFA_F_NOPREFIXROUTE});
    ifa_cacheinfo lifetime{};
    lifetime.ifa_valid = lease ? static_cast<std::uint32_t>(lease->count()) : 0xffffffff;
    lifetime.ifa_prefered = vip.is_v4() ? lifetime.ifa_valid : 0;
    std::array<std::uint8_t, sizeof lifetime> bytes;
    std::memcpy(bytes.data(), &lifetime, sizeof lifetime);
    message.attribute(IFA_CACHEINFO, std::span<const std::uint8_t>(bytes));
    return message;
}

// Of addresses that are not there, or were on what is not there.
bool is_gone(const NetlinkError& error) {
    return error.code == EADDRNOTAVAIL || error.code == ENODEV;
}

}  // namespace

VipAddresses::VipAddresses(NetlinkRequests requests, OnLost on_lost)
    : requests_(std::move(requests)), on_lost_(std::move(on_lost)) {}

Result<std::unique_ptr<VipAddresses>> VipAddresses::open(boost::asio::io_context& io,
                                                         OnLost on_lost) {
    auto requests = NetlinkRequests::open();
    if (!requests) return failure(std::move(requests.error()).within("watch addresses"));
    std::unique_ptr<VipAddresses> vips(new VipAddresses(std::move(*requests), std::move(on_lost)));
    auto events = NetlinkEvents::open(
        io, {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR},
        [self = vips.get()](const nlmsghdr& header) { self->on_message(header); },
        [self = vips.get()] {
            ++self->overruns_;
            self->reread();
        });
    if (!events) return failure(std::move(events.error()).within("watch addresses"));
    vips->events_ = std::move(*events);
    return vips;
}

Result<VipOutcome> VipAddresses::add(const Address& vip, const std::string& interface,
                                     VipLease lease) {
    auto outcome = set(vip, interface, lease);
    if (!outcome) {
        return failure(
            std::move(outcome.error()).within("set " + vip.to_string() + " on " + interface));
    }
    return outcome;
}

Result<VipOutcome> VipAddresses::set(const Address& vip, const std::string& interface,
                                     VipLease lease) {
    const auto link = find_link(requests_, interface);
    if (!link) return failure(link.error());
    const auto present = look_for(vip, *link, lease);
    if (!present) return failure(present.error());
    // What is adopted gets the lease that is wanted now; what is found is nobody's to change.
    if (*present != VipOutcome::found) {
        const std::uint16_t how = *present ? NLM_F_REPLACE : NLM_F_EXCL;
        const auto done = requests_.change(set_message(vip, link->ifindex, lease, how));
        if (!done) return failure(done.error().to_error());
    }
    held_[vip] = {interface, link->ifindex};
    return present->value_or(VipOutcome::added);
}

// What is there of it already; nullopt: nothing that stands in the way.
Result<std::optional<VipOutcome>> VipAddresses::look_for(const Address& vip, const Link& link,
                                                         VipLease lease) {
    const auto present = list();
    if (!present) return failure(present.error());
    std::optional<VipOutcome> outcome;
    for (const HostAddress& other : *present) {
        if (other.address != vip) continue;
        if (other.ifindex != link.ifindex) {
            if (!lease || !other.ours)
                return failure("is already on " + interface_name(other.ifindex));
            const auto moved = remove_from(vip, other.ifindex);
            if (!moved && !is_gone(moved.error())) return failure(moved.error().to_error());
            continue;
        }
        if (other.prefix_length != host_prefix(vip)) {
            return failure("is there already as /" + std::to_string(other.prefix_length) +
                           ", an address of this host's own");
        }
        if (lease && !other.ours)
            return failure("is there already, and not by us: take it away first (ip addr del " +
                           vip.to_string() + "/" + std::to_string(host_prefix(vip)) + " dev " +
                           link.name + "), or choose another VIP if this host lives by it");
        outcome = other.ours ? VipOutcome::adopted : VipOutcome::found;
    }
    return outcome;
}

Result<void> VipAddresses::renew(const Address& vip, std::chrono::seconds lease) {
    const auto place = "renew " + vip.to_string();
    const auto held = held_.find(vip);
    if (held == held_.end()) return failure(place + ": is not here any more");
    const auto done =
        requests_.change(set_message(vip, held->second.ifindex, lease, NLM_F_REPLACE));
    if (!done)
        return failure(done.error().to_error().within(place + " on " + held->second.interface));
    return {};
}

NetlinkResult<void> VipAddresses::remove_from(const Address& vip, std::uint32_t ifindex) {
    return requests_.change(address_message(RTM_DELADDR, 0, vip, ifindex));
}

Result<bool> VipAddresses::remove(const Address& vip, const std::string& interface) {
    const auto place = "remove " + vip.to_string() + " from " + interface;
    // Before the request, so that the event it causes is not taken for somebody else's doing.
    held_.erase(vip);
    const std::uint32_t ifindex = interface_index(interface);
    if (ifindex == 0) return false;
    const auto done = remove_from(vip, ifindex);
    if (done) return true;
    if (is_gone(done.error())) return false;
    return failure(done.error().to_error().within(place));
}

Result<VipRemoval> VipAddresses::remove_ours(const Address& vip) {
    held_.erase(vip);  // first, as in remove()
    const auto present = list();
    if (!present) return failure(Error(present.error()).within("remove " + vip.to_string()));
    VipRemoval removal;
    for (const HostAddress& one : *present) {
        if (one.address != vip) continue;
        if (!one.ours) {
            removal.left_on = interface_name(one.ifindex);
            continue;
        }
        const auto done = remove_from(vip, one.ifindex);
        if (!done && !is_gone(done.error()))
            return failure(done.error().to_error().within("remove " + vip.to_string() + " from " +
                                                          interface_name(one.ifindex)));
        removal.removed = true;
    }
    return removal;
}

Result<std::vector<HostAddress>> VipAddresses::list() {
    std::vector<HostAddress> addresses;
    NetlinkMessage request(RTM_GETADDR, NLM_F_DUMP);
    request.fixed(ifaddrmsg{});
    const auto done = requests_.query(request, [&](const nlmsghdr& header) {
        const auto address = parse_address(header);
        if (!address || header.nlmsg_type != RTM_NEWADDR) return;
        if (std::find(addresses.begin(), addresses.end(), *address) == addresses.end()) {
            addresses.push_back(*address);
        }
    });
    if (!done) return failure(done.error().to_error().within("list addresses"));
    return addresses;
}

Result<std::vector<HostAddress>> VipAddresses::list(const std::string& interface) {
    const auto link = find_link(requests_, interface);
    if (!link) return failure(link.error());
    auto addresses = list();
    if (!addresses) return addresses;
    std::erase_if(*addresses, [&](const HostAddress& a) { return a.ifindex != link->ifindex; });
    return addresses;
}

void VipAddresses::on_message(const nlmsghdr& header) {
    if (header.nlmsg_type != RTM_DELADDR) return;
    const auto gone = parse_address(header);
    if (!gone || gone->prefix_length != host_prefix(gone->address)) return;
    const auto found = held_.find(gone->address);
    if (found == held_.end() || found->second.ifindex != gone->ifindex) return;
    // The event may be of an earlier removal of ours, after which the VIP was set again.
    reread();
}

void VipAddresses::reread() {
    // Without an answer all count as lost: to add one that is still there only adopts it.
    const auto present = list().value_or(std::vector<HostAddress>());
    std::vector<Address> lost;
    for (const auto& held : held_) {
        const bool there = std::any_of(present.begin(), present.end(), [&](const auto& a) {
            return a.address == held.first && a.ifindex == held.second.ifindex;
        });
        if (!there) lost.push_back(held.first);
    }
    for (const Address& vip : lost)
        lose(vip);
}

void VipAddresses::lose(const Address& vip) {
    const auto found = held_.find(vip);
    if (found == held_.end()) return;
    const VipLost lost{vip, found->second.interface};
    held_.erase(found);
    on_lost_(lost);
}

}  // namespace bascule::node
