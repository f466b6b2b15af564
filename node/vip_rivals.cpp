// SPDX-License-Identifier: Apache-2.0
#include "node/vip_rivals.h"

#include <linux/rtnetlink.h>

#include <algorithm>

#include "node/links.h"

namespace bascule::node {

using namespace std::chrono_literals;

namespace {

constexpr auto remembered = 1min;
// An unknown MAC address may be that of an interface made a moment ago; but a rival that never
// stops must not have all interfaces listed all the time.
constexpr auto own_macs_pace = 1s;

}  // namespace

std::vector<Address> VipRivals::take(const std::vector<VipRival>& seen, Time now) {
    for (const VipRival& one : seen) {
        if (is_own(one.mac, now)) continue;
        note(one, now);
        unanswered_.insert(one.vip);
    }
    std::vector<Address> due;
    for (const Address& vip : unanswered_)
        if (!answered_.contains(vip) || now - answered_[vip] >= pace) due.push_back(vip);
    for (const Address& vip : due) {
        answered_[vip] = now;
        unanswered_.erase(vip);
    }
    return due;
}

bool VipRivals::is_own(const Mac& mac, Time now) {
    if (own_.contains(mac)) return true;
    if (asked_ != Time{} && now - asked_ < own_macs_pace) return false;
    asked_ = now;
    own_ = own_macs_();
    return own_.contains(mac);
}

void VipRivals::note(const VipRival& seen, Time now) {
    const auto [place, fresh] = known_.try_emplace({seen.vip, seen.mac}, seen);
    VipRival& known = place->second;
    if (!fresh) known.count += seen.count;
    known.interface = seen.interface;
    known.last = now;
    if (known_.size() <= most_rivals) return;
    known_.erase(std::min_element(known_.begin(), known_.end(), [](const auto& a, const auto& b) {
        return a.second.last < b.second.last;
    }));
}

void VipRivals::forget(const Address& vip) {
    std::erase_if(known_, [&](const auto& one) { return one.first.first == vip; });
    unanswered_.erase(vip);
    answered_.erase(vip);
}

std::vector<VipRival> VipRivals::recent(Time now) const {
    std::vector<VipRival> all;
    for (const auto& [key, rival] : known_)
        if (now - rival.last <= remembered) all.push_back(rival);
    return all;
}

std::set<Mac> macs_of_this_host() {
    std::set<Mac> macs;
    auto requests = NetlinkRequests::open();
    if (!requests) return macs;
    NetlinkMessage request(RTM_GETLINK, NLM_F_DUMP);
    request.fixed(ifinfomsg{});
    (void)requests->query(request, [&](const nlmsghdr& header) {
        if (header.nlmsg_type != RTM_NEWLINK) return;
        if (const auto link = parse_link(header)) macs.insert(link->mac);
    });
    return macs;
}

}  // namespace bascule::node
