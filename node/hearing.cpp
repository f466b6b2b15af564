// SPDX-License-Identifier: Apache-2.0
#include "node/hearing.h"

#include <linux/rtnetlink.h>

#include <utility>

#include "node/cluster_options.h"

namespace bascule::node {

Hearing::Hearing(boost::asio::io_context& io) {
    auto events = NetlinkEvents::open(
        io, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR},
        [this](const nlmsghdr& header) { on_message(header); }, [this] { stale_ = true; });
    if (events) events_ = std::move(*events);
}

// Leases of VIPs are renewed every second, which the kernel reports as new addresses.
void Hearing::on_message(const nlmsghdr& header) {
    if (header.nlmsg_type == RTM_NEWADDR)
        stale_ = stale_ || !hears_;
    else if (header.nlmsg_type == RTM_DELADDR)
        stale_ = stale_ || hears_;
    else
        stale_ = true;
}

bool Hearing::can_hear(const model::ClusterNodeConfig& own,
                       const std::vector<model::VipConfig>& vips) {
    std::vector<Address> addresses;
    for (const auto& vip : vips)
        addresses.push_back(vip.address);
    if (events_) events_->catch_up();
    const bool other = own_ != own.addresses || vips_ != addresses;
    if (events_ && !stale_ && !other) return hears_;
    own_ = own.addresses;
    vips_ = std::move(addresses);
    ++looks_;
    const auto seen = node::can_hear(own, vips);
    stale_ = !seen;
    hears_ = seen.value_or(true);
    return hears_;
}

}  // namespace bascule::node
