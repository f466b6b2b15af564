// SPDX-License-Identifier: Apache-2.0
// The address of this host that probes by a VIP come from.
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "node/links.h"
#include "node/netlink.h"
#include "node/prefix.h"
#include "node/probe_path.h"

namespace bascule::node {
namespace {

struct Candidate {
    Address address;
    std::uint8_t length = 0;
    std::uint32_t ifindex = 0;
    bool secondary = false;  // of its network; or one for privacy, which changes
};

// Servers must be able to answer to it, and it must not go soon.
std::optional<Candidate> parse_candidate(const nlmsghdr& header) {
    const auto info = fixed_part<ifaddrmsg>(header);
    const auto attributes = NetlinkAttributes::parse(header, sizeof(ifaddrmsg));
    if (header.nlmsg_type != RTM_NEWADDR || !info || !attributes) return std::nullopt;
    if (info->ifa_scope != RT_SCOPE_UNIVERSE && info->ifa_scope != RT_SCOPE_SITE)
        return std::nullopt;
    auto address = attributes->address(IFA_LOCAL);
    if (!address) address = attributes->address(IFA_ADDRESS);
    const std::uint32_t flags = attributes->u32(IFA_FLAGS).value_or(info->ifa_flags);
    if (!address || (flags & (IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0)
        return std::nullopt;
    return Candidate{*address, info->ifa_prefixlen, info->ifa_index,
                     (flags & IFA_F_SECONDARY) != 0};
}

std::vector<Candidate> candidates(NetlinkRequests& requests) {
    std::vector<Candidate> found;
    NetlinkMessage request(RTM_GETADDR, NLM_F_DUMP);
    request.fixed(ifaddrmsg{});
    const auto done = requests.query(request, [&](const nlmsghdr& header) {
        if (const auto candidate = parse_candidate(header)) found.push_back(*candidate);
    });
    return done ? found : std::vector<Candidate>();
}

bool is_vip(const model::Config& config, const Address& address) {
    return std::any_of(config.vips.begin(), config.vips.end(),
                       [&](const auto& vip) { return vip.address == address; });
}

// By index: as servers see them, in the order of the configuration. The VIP's own comes first.
std::vector<std::uint32_t> interfaces_for(NetlinkRequests& requests, const model::Config& config,
                                          const model::VipConfig& vip) {
    std::vector<std::string> names{vip.interface};
    names.insert(names.end(), config.node.interfaces.begin(), config.node.interfaces.end());
    std::vector<std::uint32_t> indexes;
    for (const auto& name : names)
        if (const auto link = find_link(requests, name)) indexes.push_back(link->ifindex);
    return indexes;
}

bool has_in_its_network(const Candidate& candidate, const Address& vip) {
    const auto network =
        Prefix::parse(candidate.address.to_string() + "/" + std::to_string(candidate.length));
    return network && network->contains(vip);
}

}  // namespace

std::optional<Address> probe_source(const model::Config& config, const model::VipConfig& vip) {
    auto requests = NetlinkRequests::open();
    if (!requests) return std::nullopt;
    const auto interfaces = interfaces_for(*requests, config, vip);
    using Rank = std::tuple<std::ptrdiff_t, bool, bool>;  // the least is the best
    std::optional<std::pair<Rank, Address>> best;
    for (const Candidate& candidate : candidates(*requests)) {
        const auto on = std::find(interfaces.begin(), interfaces.end(), candidate.ifindex);
        if (on == interfaces.end() || candidate.address.is_v4() != vip.address.is_v4() ||
            is_vip(config, candidate.address))
            continue;
        const Rank rank{on - interfaces.begin(), !has_in_its_network(candidate, vip.address),
                        candidate.secondary};
        if (!best || rank < best->first) best = {rank, candidate.address};
    }
    return best ? std::optional(best->second) : std::nullopt;
}

}  // namespace bascule::node
