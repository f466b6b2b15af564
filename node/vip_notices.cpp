// SPDX-License-Identifier: Apache-2.0
#include "node/vip_notices.h"

#include <fmt/format.h>

#include <algorithm>

#include "node/links.h"

namespace bascule::node {

namespace {

constexpr int most_levels = 4;  // a VLAN on a VLAN on a bond, of NICs

bool is_listed(const model::Config& config, const std::string& interface) {
    const auto& listed = config.node.interfaces;
    return std::find(listed.begin(), listed.end(), interface) != listed.end();
}

// Whether frames for the interface pass by one that carries the program.
bool is_covered(NetlinkRequests& requests, const model::Config& config, Link link) {
    for (int level = 0; level < most_levels; ++level) {
        if (is_listed(config, link.name)) return true;
        if (link.kind == "bond") {
            const std::vector<Link> parts = bond_parts(requests, link.ifindex);
            return !parts.empty() && std::all_of(parts.begin(), parts.end(), [&](const Link& part) {
                return is_listed(config, part.name);
            });
        }
        if (link.lower == 0) return false;
        auto below = find_link(requests, link.lower);
        if (!below) return false;
        link = std::move(*below);
    }
    return false;
}

}  // namespace

std::vector<std::string> vip_notices(const model::Config& config) {
    std::vector<std::string> lines;
    auto requests = NetlinkRequests::open();
    if (!requests) return lines;
    for (const auto& vip : config.vips) {
        const auto link = find_link(*requests, vip.interface);
        if (!link)
            lines.push_back(fmt::format("{}: this host has no interface {}",
                                        vip.address.to_string(), vip.interface));
        else if (!is_covered(*requests, config, *link))
            lines.push_back(fmt::format(
                "{}: {} is none of [node] interfaces, nor on top of one: what arrives there is not "
                "balanced",
                vip.address.to_string(), vip.interface));
    }
    return lines;
}

}  // namespace bascule::node
