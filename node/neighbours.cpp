// SPDX-License-Identifier: Apache-2.0
#include "node/neighbours.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <limits>

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

std::string no_answer(const Address& address, std::uint32_t ifindex) {
    return std::string("no answer to ") + (address.is_v4() ? "ARP" : "neighbour solicitation") +
           " on " + interface_name(ifindex);
}

std::uint16_t least_mtu(const Way& way, const Exit& exit) {
    const std::uint32_t mtu = way.mtu == 0 ? exit.mtu : std::min(way.mtu, exit.mtu);
    constexpr std::uint32_t most = std::numeric_limits<std::uint16_t>::max();
    return static_cast<std::uint16_t>(std::min(mtu, most));  // loopback and tunnels have more
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
        const auto& [address, target] = *it;
        if (wanted.contains(address)) {
            ++it;
            continue;
        }
        serve(address, target.neighbour(address), std::nullopt);
        queue_.erase({target.due, {0, address}});
        changed_.erase(address);
        it = targets_.erase(it);
    }
    const auto now = Clock::now();
    for (const Address& address : wanted) {
        const auto [it, fresh] = targets_.try_emplace(address);
        if (fresh) look_by(address, it->second, now);
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
    if (!address) return;
    const auto found = entries_.find({static_cast<std::uint32_t>(info->ndm_ifindex), *address});
    if (found == entries_.end()) return;
    auto& [neighbour, entry] = *found;

    const bool deleted = header.nlmsg_type == RTM_DELNEIGH;
    if (deleted || ((info->ndm_state & NUD_FAILED) != 0 && !probed(entry))) {
        // Flushed or collected, which says nothing about the backend: what was reported stands
        // until the kernel, asked again at once, has resolved it or given up. A table too small
        // for all targets throws them out in turn, hence the pace.
        entry.state = NUD_NONE;
        entry.mac.reset();
        ask_by(neighbour, entry, std::max(Clock::now(), entry.last_ask + timing_.retry));
        return;
    }
    entry.state = info->ndm_state;
    entry.mac = attributes->mac(NDA_LLADDR);
    entry.refused.clear();
    if ((entry.state & has_mac) == 0) ask_by(neighbour, entry, Clock::now() + timing_.retry);
    review_all(entry);
}

// A deletion is announced as a failure first. The kernel fails an entry by its own judgement only
// after probes, never straight from a state in which it was content with it. A failure from before
// the first ask is old news.
bool NeighbourWatch::probed(const Entry& entry) {
    constexpr std::uint16_t content = has_mac & ~NUD_PROBE;
    return (entry.state & content) == 0 && entry.last_ask != Clock::time_point();
}

void NeighbourWatch::reread_neighbours() {
    for (auto& [neighbour, entry] : entries_) {
        entry.state = NUD_NONE;
        entry.mac.reset();
    }
    NetlinkMessage request(RTM_GETNEIGH, NLM_F_DUMP);
    request.fixed(ndmsg{});
    const auto done = requests_.query(request, [this](const nlmsghdr& header) {
        if (header.nlmsg_type == RTM_NEWNEIGH) take_entry(header);
    });
    if (!done) ++counters_.failures;
    const auto now = Clock::now();
    for (auto& [neighbour, entry] : entries_) {
        // Deleted meanwhile, or the dump failed: the ordinary ask finds out.
        if (entry.state == NUD_NONE) ask_by(neighbour, entry, now);
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
    exits_.clear();
    const auto now = Clock::now();
    // One that waits already keeps its place: else the last ones would never get their turn.
    for (auto& [address, target] : targets_)
        look_by(address, target, std::min(target.due, now));
    arm();
}

// ---- the work, in batches ----

void NeighbourWatch::look_by(const Address& address, Target& target, Clock::time_point when) {
    queue_.erase({target.due, {0, address}});
    target.due = when;
    queue_.insert({when, {0, address}});
}

void NeighbourWatch::ask_at(const Neighbour& neighbour, Entry& entry, Clock::time_point when) {
    queue_.erase({entry.next_ask, neighbour});
    entry.next_ask = when;
    queue_.insert({when, neighbour});
}

// Brings the next ask forward.
void NeighbourWatch::ask_by(const Neighbour& neighbour, Entry& entry, Clock::time_point when) {
    if (when < entry.next_ask) ask_at(neighbour, entry, when);
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
        const auto [due, what] = *queue_.begin();
        if (due > last_tick_) break;
        if (what.ifindex == 0)
            look_at(what.address);
        else
            look_after(what);
    }
    arm();
}

std::optional<NeighbourWatch::Neighbour> NeighbourWatch::Target::neighbour(
    const Address& address) const {
    if (way.ifindex == 0 || exit.ifindex == 0) return std::nullopt;
    return Neighbour{way.ifindex, way.via.value_or(address)};
}

void NeighbourWatch::look_at(const Address& address) {
    Target& target = targets_.at(address);
    const auto before = target.neighbour(address);
    target.way = find_way(requests_, address);
    ++counters_.route_lookups;
    target.exit = target.way.ifindex == 0 ? Exit{} : exit_by(target.way.ifindex);
    target.route_known = true;
    const auto now = target.neighbour(address);
    if (before != now) serve(address, before, now);
    // Not every cause of an unusable route ends with an event.
    look_by(address, target, Clock::now() + (now ? timing_.reroute : timing_.refresh));
    review(address);
}

const Exit& NeighbourWatch::exit_by(std::uint32_t ifindex) {
    const auto [it, fresh] = exits_.try_emplace(ifindex);
    if (fresh) it->second = find_exit(requests_, ifindex);
    return it->second;
}

// The neighbour that serves a target is another one from now on.
void NeighbourWatch::serve(const Address& address, const std::optional<Neighbour>& before,
                           const std::optional<Neighbour>& now) {
    const auto old = before ? entries_.find(*before) : entries_.end();
    if (old != entries_.end()) {
        old->second.targets.erase(address);
        if (old->second.targets.empty()) {
            queue_.erase({old->second.next_ask, *before});
            entries_.erase(old);
        }
    }
    if (!now) return;
    const auto [it, fresh] = entries_.try_emplace(*now);
    it->second.targets.insert(address);
    if (!fresh) return;
    ask_at(*now, it->second, {});  // at once
    read_entry(*now);
}

// The state must be known before the first ask: NTF_USE would make an operator's permanent entry an
// ordinary one.
void NeighbourWatch::read_entry(const Neighbour& neighbour) {
    const auto request =
        neighbour_message(RTM_GETNEIGH, 0, 0, neighbour.address, neighbour.ifindex);
    const auto done = requests_.query(request, [this](const nlmsghdr& header) {
        if (header.nlmsg_type == RTM_NEWNEIGH) take_entry(header);
    });
    if (!done && done.error().code != ENOENT) ++counters_.failures;
}

void NeighbourWatch::look_after(const Neighbour& neighbour) {
    Entry& entry = entries_.at(neighbour);
    // Asked before, and not a word: there are entries that the kernel makes without telling.
    if (entry.state == NUD_NONE && entry.last_ask != Clock::time_point()) read_entry(neighbour);
    ask(neighbour, entry);
    const auto now = Clock::now();
    entry.last_ask = now;
    const bool resolved = (entry.state & has_mac) != 0;
    ask_at(neighbour, entry, now + (resolved ? timing_.refresh : timing_.retry));
    review_all(entry);
}

void NeighbourWatch::ask(const Neighbour& neighbour, Entry& entry) {
    if ((entry.state & (NUD_PERMANENT | NUD_NOARP)) != 0) return;
    const auto request = neighbour_message(RTM_NEWNEIGH, NLM_F_CREATE, NTF_USE, neighbour.address,
                                           neighbour.ifindex);
    const auto done = requests_.change(request);
    ++counters_.asks;
    entry.refused.clear();
    if (done) return;
    ++counters_.failures;
    entry.refused = refusal(done.error(), neighbour.ifindex, neighbour.address.is_v4());
}

// ---- what is reported ----

// Nullopt: not decided yet.
std::optional<NeighbourState> NeighbourWatch::judge(const Address& address,
                                                    const Target& target) const {
    const Way& way = target.way;
    NeighbourState state{address, {}, way.via, way.source, way.local, {}};
    const auto neighbour = target.neighbour(address);
    if (!neighbour) {
        state.reason = way.ifindex == 0 ? way.reason : target.exit.reason;
        return state;
    }
    const Entry& entry = entries_.at(*neighbour);
    const Exit& exit = target.exit;
    if ((entry.state & has_mac) != 0) {
        // Where the kernel resolves nothing, it gives every neighbour our own address.
        const bool made_up = (entry.state & NUD_NOARP) != 0 && entry.mac == exit.source_mac;
        if (entry.mac && !made_up)
            state.next_hop = {*entry.mac, exit.ifindex, exit.vlan, exit.source_mac,
                              least_mtu(way, exit)};
        else
            state.reason = interface_name(way.ifindex) + " resolves no MAC addresses";
    } else if (!entry.refused.empty()) {
        state.reason = entry.refused;
    } else if ((entry.state & NUD_FAILED) != 0) {
        state.reason = no_answer(neighbour->address, neighbour->ifindex);
    } else {
        return std::nullopt;
    }
    if (way.via && !state.next_hop) {
        state.reason = "gateway " + way.via->to_string() + ": " + state.reason;
    }
    return state;
}

void NeighbourWatch::review(const Address& address) {
    Target& target = targets_.at(address);
    if (!target.route_known) return;
    auto state = judge(address, target);
    if (!state || state == target.reported) return;
    target.reported = std::move(state);
    changed_.insert(address);
    if (changed_.size() > 1) return;  // flush() is on its way
    boost::asio::post(io_, [this, alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) flush();
    });
}

void NeighbourWatch::review_all(const Entry& entry) {
    for (const Address& address : entry.targets)
        review(address);
}

void NeighbourWatch::flush() {
    std::vector<NeighbourState> states;
    for (const Address& address : std::exchange(changed_, {})) {
        states.push_back(*targets_.at(address).reported);
    }
    if (!states.empty()) on_change_(states);
}

}  // namespace bascule::node
