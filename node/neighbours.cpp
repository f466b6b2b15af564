// SPDX-License-Identifier: Apache-2.0
#include "node/neighbours.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>

#include "node/links.h"

namespace bascule::node {
namespace {

constexpr std::uint16_t has_mac =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

NetlinkMessage neighbour_message(std::uint16_t type, std::uint16_t flags, std::uint8_t neighbour,
                                 const Address& address, std::uint32_t ifindex) {
    ndmsg info{};
    info.ndm_family = family_of(address);
    info.ndm_ifindex = static_cast<int>(ifindex);
    info.ndm_flags = neighbour;
    NetlinkMessage message(type, flags);
    message.fixed(info).attribute(NDA_DST, address);
    return message;
}

std::string refusal(const NetlinkError& error, std::uint32_t ifindex, bool v4) {
    if (error.code == ENOBUFS) {
        return std::string("the kernel's neighbour table is full: raise net.") +
               (v4 ? "ipv4" : "ipv6") + ".neigh.default.gc_thresh3";
    }
    return "the kernel does not resolve it on " + interface_name(ifindex) + ": " + error.text;
}

// What the answer to a route look-up means for a backend.
struct Way {
    std::uint32_t ifindex = 0;  // 0: none, for `reason`
    std::string reason;
};

std::optional<Address> gateway_of(const NetlinkAttributes& attributes) {
    if (const auto gateway = attributes.address(RTA_GATEWAY)) return gateway;
    // A gateway of the other family: two bytes of family, then the address.
    const auto via = attributes.bytes(RTA_VIA);
    if (!via || via->size() != 2 + 16) return std::nullopt;
    Address::Bytes bytes;
    std::copy(via->begin() + 2, via->end(), bytes.begin());
    return Address(bytes);
}

// The kernel answers routes that lead nowhere with the error that their users get.
std::string no_route(const NetlinkError& error) {
    switch (error.code) {
        case ENETUNREACH:
            return "no route";
        case EHOSTUNREACH:
            return "unreachable by a route";
        case EACCES:
            return "prohibited by a route";
        case EINVAL:
            return "a blackhole route";
        default:
            return "no route: " + error.text;
    }
}

Way read_route(const nlmsghdr& header) {
    const auto info = fixed_part<rtmsg>(header);
    const auto attributes = NetlinkAttributes::parse(header, sizeof(rtmsg));
    if (!info || !attributes) return {0, "the kernel's answer makes no sense"};
    switch (info->rtm_type) {
        case RTN_UNICAST:
            break;
        case RTN_LOCAL:
            return {0, "is an address of this host itself"};
        case RTN_BROADCAST:
        case RTN_ANYCAST:
        case RTN_MULTICAST:
            return {0, "is not the address of one host"};
        case RTN_UNREACHABLE:
            return {0, no_route({EHOSTUNREACH, {}})};
        case RTN_PROHIBIT:
            return {0, no_route({EACCES, {}})};
        case RTN_BLACKHOLE:
            return {0, no_route({EINVAL, {}})};
        default:
            return {0, "no route"};
    }
    if (const auto gateway = gateway_of(*attributes)) {
        return {0, "behind the gateway " + gateway->to_string() +
                       ": l2 needs a backend on the same network"};
    }
    const auto out = attributes->u32(RTA_OIF);
    if (!out || *out == 0) return {0, "no route"};
    return {*out, {}};
}

}  // namespace

NeighbourWatch::NeighbourWatch(boost::asio::io_context& io, NetlinkRequests requests,
                               OnChange on_change, NeighbourTiming timing)
    : io_(io),
      requests_(std::move(requests)),
      on_change_(std::move(on_change)),
      timing_(timing),
      tick_timer_(io),
      settle_timer_(io) {}

NeighbourWatch::~NeighbourWatch() = default;

Result<std::unique_ptr<NeighbourWatch>> NeighbourWatch::open(boost::asio::io_context& io,
                                                             OnChange on_change,
                                                             NeighbourTiming timing) {
    auto requests = NetlinkRequests::open();
    if (!requests) return failure(std::move(requests.error()).within("watch neighbours"));
    std::unique_ptr<NeighbourWatch> watch(
        new NeighbourWatch(io, std::move(*requests), std::move(on_change), timing));
    auto subscribed = watch->subscribe();
    if (!subscribed) return failure(std::move(subscribed.error()).within("watch neighbours"));
    return watch;
}

Result<void> NeighbourWatch::subscribe() {
    auto neighbours = NetlinkEvents::open(
        io_, {RTNLGRP_NEIGH}, [this](const nlmsghdr& header) { on_neighbour(header); },
        [this] {
            ++counters_.overruns;
            reread_neighbours();
        });
    if (!neighbours) return failure(std::move(neighbours.error()));
    neighbour_events_ = std::move(*neighbours);

    auto routes = NetlinkEvents::open(
        io_,
        {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE,
         RTNLGRP_NEXTHOP, RTNLGRP_LINK},
        [this](const nlmsghdr&) { routes_changed(); },
        [this] {
            ++counters_.overruns;
            routes_changed();
        });
    if (!routes) return failure(std::move(routes.error()));
    route_events_ = std::move(*routes);
    return {};
}

void NeighbourWatch::set_targets(const std::vector<Address>& targets) {
    const std::set<Address> wanted(targets.begin(), targets.end());
    for (auto it = targets_.begin(); it != targets_.end();) {
        if (wanted.contains(it->first)) {
            ++it;
            continue;
        }
        queue_.erase({it->second.due, it->first});
        changed_.erase(it->first);
        it = targets_.erase(it);
    }
    const auto now = Clock::now();
    for (const Address& address : wanted) {
        const auto [it, fresh] = targets_.try_emplace(address);
        if (!fresh) continue;
        it->second.next_ask = now;
        move_due(address, it->second, now);
    }
    arm();
}

std::optional<NeighbourState> NeighbourWatch::get(const Address& target) const {
    const auto found = targets_.find(target);
    return found == targets_.end() ? std::nullopt : found->second.reported;
}

// ---- what the kernel reports ----

void NeighbourWatch::on_neighbour(const nlmsghdr& header) {
    if (header.nlmsg_type == RTM_NEWNEIGH || header.nlmsg_type == RTM_DELNEIGH) {
        take_entry(header);
        arm();
    }
}

void NeighbourWatch::take_entry(const nlmsghdr& header) {
    const auto info = fixed_part<ndmsg>(header);
    const auto attributes = NetlinkAttributes::parse(header, sizeof(ndmsg));
    if (!info || !attributes || (info->ndm_flags & NTF_PROXY) != 0) return;
    // Forwarding entries of bridges come through the same group.
    if (info->ndm_family != AF_INET && info->ndm_family != AF_INET6) return;
    const auto address = attributes->address(NDA_DST);
    const auto found = address ? targets_.find(*address) : targets_.end();
    if (found == targets_.end()) return;
    Target& target = found->second;
    if (target.ifindex == 0 || static_cast<int>(target.ifindex) != info->ndm_ifindex) return;

    const bool deleted = header.nlmsg_type == RTM_DELNEIGH;
    if (deleted || ((info->ndm_state & NUD_FAILED) != 0 && !probed(target))) {
        // Flushed or collected, which says nothing about the backend: what was reported stands
        // until the kernel, asked again at once, has resolved it or given up. A table too small
        // for all targets throws them out in turn, hence the pace.
        target.state = NUD_NONE;
        target.mac.reset();
        ask_by(*address, target, std::max(Clock::now(), target.last_ask + timing_.retry));
        return;
    }
    target.state = info->ndm_state;
    target.mac = attributes->mac(NDA_LLADDR);
    target.refused.clear();
    if ((target.state & has_mac) == 0) ask_by(*address, target, Clock::now() + timing_.retry);
    review(*address, target);
}

// A deletion is announced as a failure first. The kernel fails an entry by its own judgement only
// after probes, never straight from a state in which it was content with it. A failure from before
// the first ask is old news.
bool NeighbourWatch::probed(const Target& target) {
    constexpr std::uint16_t content = has_mac & ~NUD_PROBE;
    return (target.state & content) == 0 && target.last_ask != Clock::time_point();
}

void NeighbourWatch::reread_neighbours() {
    for (auto& [address, target] : targets_) {
        target.state = NUD_NONE;
        target.mac.reset();
    }
    NetlinkMessage request(RTM_GETNEIGH, NLM_F_DUMP);
    request.fixed(ndmsg{});
    const auto done = requests_.query(request, [this](const nlmsghdr& header) {
        if (header.nlmsg_type == RTM_NEWNEIGH) take_entry(header);
    });
    if (!done) ++counters_.failures;
    const auto now = Clock::now();
    for (auto& [address, target] : targets_) {
        // Deleted meanwhile, or the dump failed: the ordinary ask finds out.
        if (target.state != NUD_NONE || target.ifindex == 0) continue;
        ask_by(address, target, now);
    }
    arm();
}

// The first change starts the wait, so that routes that never rest cannot put it off for ever.
void NeighbourWatch::routes_changed() {
    if (std::exchange(settling_, true)) return;
    settle_timer_.expires_after(timing_.settle);
    settle_timer_.async_wait(
        [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
            if (error || alive.expired()) return;
            settling_ = false;
            recheck_routes();
        });
}

void NeighbourWatch::recheck_routes() {
    const auto now = Clock::now();
    for (auto& [address, target] : targets_) {
        target.route_known = false;
        // One that waits already keeps its place: else the last ones would never get their turn.
        move_due(address, target, std::min(target.due, now));
    }
    arm();
}

// ---- the work, in batches ----

void NeighbourWatch::move_due(const Address& address, Target& target, Clock::time_point due) {
    queue_.erase({target.due, address});
    target.due = due;
    queue_.insert({due, address});
}

// Brings the next ask forward.
void NeighbourWatch::ask_by(const Address& address, Target& target, Clock::time_point when) {
    target.next_ask = std::min(target.next_ask, when);
    if (target.next_ask < target.due) move_due(address, target, target.next_ask);
}

void NeighbourWatch::arm() {
    if (queue_.empty()) {
        tick_timer_.cancel();
        return;
    }
    const auto when = std::max(queue_.begin()->first, last_tick_ + timing_.tick);
    tick_timer_.expires_at(when);
    tick_timer_.async_wait(
        [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
            if (!error && !alive.expired()) tick();
        });
}

void NeighbourWatch::tick() {
    const auto now = Clock::now();
    if (now < last_tick_ + timing_.tick) return arm();  // this wait was replaced by a later one
    last_tick_ = now;
    // What happened since the last turn of the io_context must be known before anything is asked;
    // see read_entry().
    neighbour_events_->catch_up();
    for (std::size_t i = 0; i < timing_.batch && !queue_.empty(); ++i) {
        const auto [due, address] = *queue_.begin();
        if (due > last_tick_) break;
        look_at(*targets_.find(address));
    }
    arm();
}

void NeighbourWatch::look_at(Targets::value_type& entry) {
    const Address& address = entry.first;
    Target& target = entry.second;
    const auto now = Clock::now();
    // Not every cause of an unusable route ends with an event.
    const bool retry = target.ifindex == 0 && now >= target.next_ask;
    if (!target.route_known || retry) look_up_route(address, target);
    if (target.ifindex == 0) {
        target.next_ask = now + timing_.refresh;
    } else if (now >= target.next_ask) {
        ask(address, target);
        target.last_ask = now;
        const bool resolved = (target.state & has_mac) != 0;
        target.next_ask = now + (resolved ? timing_.refresh : timing_.retry);
    }
    review(address, target);
    move_due(address, target, target.next_ask);
}

void NeighbourWatch::look_up_route(const Address& address, Target& target) {
    rtmsg info{};
    info.rtm_family = family_of(address);
    info.rtm_dst_len = address.is_v4() ? 32 : 128;
    NetlinkMessage request(RTM_GETROUTE, 0);
    request.fixed(info).attribute(RTA_DST, address);
    Way way{0, "no route"};
    const auto done = requests_.query(request, [&](const nlmsghdr& header) {
        if (header.nlmsg_type == RTM_NEWROUTE) way = read_route(header);
    });
    ++counters_.route_lookups;
    if (!done) way.reason = no_route(done.error());
    target.route_known = true;
    target.off_link = std::move(way.reason);
    if (std::exchange(target.ifindex, way.ifindex) == way.ifindex) return;
    target.state = NUD_NONE;
    target.mac.reset();
    target.refused.clear();
    target.last_ask = {};
    target.next_ask = {};  // at once
    if (target.ifindex != 0) read_entry(address, target);
}

// The state must be known before the first ask: NTF_USE would make an operator's permanent entry an
// ordinary one.
void NeighbourWatch::read_entry(const Address& address, Target& target) {
    const auto request = neighbour_message(RTM_GETNEIGH, 0, 0, address, target.ifindex);
    const auto done = requests_.query(request, [this](const nlmsghdr& header) {
        if (header.nlmsg_type == RTM_NEWNEIGH) take_entry(header);
    });
    if (!done && done.error().code != ENOENT) ++counters_.failures;
}

void NeighbourWatch::ask(const Address& address, Target& target) {
    if ((target.state & (NUD_PERMANENT | NUD_NOARP)) != 0) return;
    const auto request =
        neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE, NTF_USE, address, target.ifindex);
    const auto done = requests_.change(request);
    ++counters_.asks;
    target.refused.clear();
    if (done) return;
    ++counters_.failures;
    target.refused = refusal(done.error(), target.ifindex, address.is_v4());
}

// ---- what is reported ----

// Nullopt: not decided yet.
std::optional<NeighbourState> NeighbourWatch::judge(const Address& address,
                                                    const Target& target) const {
    if (target.ifindex == 0) return NeighbourState{address, std::nullopt, target.off_link};
    if ((target.state & has_mac) != 0) {
        if (target.mac) return NeighbourState{address, {{*target.mac, target.ifindex}}, {}};
        return NeighbourState{
            address, std::nullopt,
            interface_name(target.ifindex) + " has no Ethernet addresses: l2 needs them"};
    }
    if (!target.refused.empty()) return NeighbourState{address, std::nullopt, target.refused};
    if ((target.state & NUD_FAILED) == 0) return std::nullopt;
    return NeighbourState{address, std::nullopt,
                          std::string("no answer to ") +
                              (address.is_v4() ? "ARP" : "neighbour solicitation") + " on " +
                              interface_name(target.ifindex)};
}

void NeighbourWatch::review(const Address& address, Target& target) {
    auto state = judge(address, target);
    if (!state || state == target.reported) return;
    target.reported = std::move(state);
    changed_.insert(address);
    if (changed_.size() > 1) return;  // flush() is on its way
    boost::asio::post(io_, [this, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) flush();
    });
}

void NeighbourWatch::flush() {
    std::vector<NeighbourState> states;
    for (const Address& address : std::exchange(changed_, {})) {
        states.push_back(*targets_.at(address).reported);
    }
    if (!states.empty()) on_change_(states);
}

}  // namespace bascule::node
