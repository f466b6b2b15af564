// SPDX-License-Identifier: Apache-2.0
#include "node/vip_hands.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <stdexcept>
#include <utility>

namespace bascule::node {

using namespace std::chrono_literals;
using sync::VipDuty;
using What = sync::VipDuty::What;

namespace {

constexpr auto tick_time = 50ms;
constexpr auto renewal_time = 1s;
// A moment for the word to let go, which the heartbeat thread says as soon as it wakes.
constexpr auto after_nap = 250ms;
// Whoever takes a VIP away again and again is answered at this pace, and so often within this time;
// then a peer is the better place for it.
constexpr auto mend_pace = 50ms;
constexpr std::size_t most_losses = 10;
constexpr auto losses_time = 10s;
// A rival that was seen so lately may be still there.
constexpr auto rival_lately = 2s;

AnnouncementRow announcements() {
    return {.after = {10ms, 50ms, 200ms, 1s, 2s, 5s}, .every = 30s};
}

std::chrono::seconds lease_of(const std::optional<VipDuty>& duty) {
    if (duty && duty->parting)
        return std::chrono::floor<std::chrono::seconds>(sync::parting_deadline);
    return vip_lease;
}

bool is_held(const std::optional<VipDuty>& duty) {
    return duty && duty->what == What::held;
}

}  // namespace

VipHands::VipHands(boost::asio::io_context& io, std::vector<model::VipConfig> vips,
                   Callbacks callbacks, std::chrono::milliseconds nap)
    : callbacks_(std::move(callbacks)),
      nap_(nap),
      announcer_(io, announcements(), [this] { return !quiet(); }),
      rivals_(macs_of_this_host),
      mend_soon_(io, [this] { mend(); }),
      ticks_(io),
      seen_(std::chrono::steady_clock::now()),
      next_renewal_(seen_ + renewal_time) {
    auto addresses = VipAddresses::open(io, [this](const VipLost& lost) { on_lost(lost); });
    if (!addresses) throw std::runtime_error(addresses.error().text());
    addresses_ = std::move(*addresses);
    auto links = LinkWatch::open(io, [this](const LinkChange& change) { on_link(change); });
    if (!links) throw std::runtime_error(links.error().text());
    links_ = std::move(*links);
    set_vips(std::move(vips));
    tick();
}

// Whether nothing is to be set or announced for now. Asked at the beginning of all that is called
// from outside.
bool VipHands::quiet() {
    const auto now = std::chrono::steady_clock::now();
    if (now - seen_ > nap_) {
        quiet_until_ = now + after_nap;
        was_quiet_ = true;
    }
    seen_ = now;
    return now < quiet_until_;
}

void VipHands::set_duties(std::vector<VipDuty> duties) {
    quiet();
    duties_ = std::move(duties);
    apply();
    tell();
}

void VipHands::set_vips(std::vector<model::VipConfig> vips) {
    quiet();
    std::map<sync::VipId, Vip> next;
    for (model::VipConfig& config : vips) {
        const auto id = sync::vip_id(config.address);
        const auto known = vips_.find(id);
        if (known != vips_.end() && known->second.config.address == config.address &&
            known->second.config.interface == config.interface) {
            next[id] = std::move(known->second);
            vips_.erase(known);
        }
        next[id].config = std::move(config);
    }
    for (auto& [id, vip] : vips_)
        drop(vip);
    vips_ = std::move(next);
    watch();
    apply();
    tell();
}

// Of what is left in the configuration.
void VipHands::watch() {
    std::set<std::string> names;
    for (const auto& [id, vip] : vips_)
        names.insert(vip.config.interface);
    const auto done = links_->set_names({names.begin(), names.end()});
    if (!done) spdlog::warn("interfaces of VIPs are not watched: {}", done.error().text());
}

void VipHands::look_at(const std::string& interface) {
    quiet();
    for (auto& [id, vip] : vips_) {
        if (vip.config.interface != interface || !is_held(vip.duty)) continue;
        if (vip.here && !vip.lost && !quiet())
            announcer_.start(vip.config.address, interface);
        else
            take(vip);
    }
    tell();
}

// What goes goes first: it may be another one's already.
void VipHands::apply() {
    const auto duty_of = [&](sync::VipId id) {
        return std::find_if(duties_.begin(), duties_.end(),
                            [&](const VipDuty& duty) { return duty.vip == id; });
    };
    for (const bool going : {true, false})
        for (auto& [id, vip] : vips_) {
            const auto duty = duty_of(id);
            if (duty != duties_.end() && (duty->what == What::absent) == going) apply(vip, *duty);
        }
    // Nothing is said of these any more: they stay as long as their leases.
    for (auto& [id, vip] : vips_) {
        if (!vip.duty || duty_of(id) != duties_.end()) continue;
        announcer_.stop(vip.config.address);
        vip.duty.reset();
        vip.told.reset();
    }
}

void VipHands::apply(Vip& vip, const VipDuty& duty) {
    if (vip.duty == duty) return;
    const auto before = std::exchange(vip.duty, duty);
    if (duty.what == What::absent) return release(vip);
    if (duty.what == What::lingering) {
        announcer_.stop(vip.config.address);
        if (std::exchange(vip.lost, false)) vip.here = false;
        return answer(vip);
    }
    const bool anew = !is_held(before) || before->epoch != duty.epoch;
    if (anew) rivals_.forget(vip.config.address);
    if (!vip.here || vip.lost) return take(vip);
    if (lease_of(before) != lease_of(duty)) (void)renew(vip);  // again within a second
    answer(vip);
    if ((anew || before->announcements != duty.announcements) && !quiet())
        announcer_.start(vip.config.address, vip.config.interface);
}

// It is to be held, and is not here.
void VipHands::take(Vip& vip) {
    if (quiet()) return;  // resume() comes back to it
    const auto& [address, interface, priority] = vip.config;
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(vip.losses, [&](Time when) { return now - when > losses_time; });
    if (vip.losses.size() > most_losses)
        return refuse(
            vip, fmt::format("VIP {} was taken away from {} {} times within {} s, and "
                             "not by us; who else on this host manages its addresses?",
                             address.to_string(), interface, vip.losses.size(), losses_time / 1s));
    const auto outcome = addresses_->add(address, interface, lease_of(vip.duty));
    if (!outcome) return refuse(vip, outcome.error().text());
    if (std::exchange(vip.lost, false))
        ++vip.restored;
    else if (!vip.here)
        spdlog::info("VIP {} {} {}", address.to_string(),
                     *outcome == VipOutcome::added ? "set on" : "already on", interface);
    vip.here = true;
    vip.confirmed = now;
    vip.problem.clear();
    answer(vip);
    announcer_.start(address, interface);
}

// False: it is not here any more, or the kernel refuses.
bool VipHands::renew(Vip& vip) {
    const auto now = std::chrono::steady_clock::now();
    if (!addresses_->renew(vip.config.address, lease_of(vip.duty))) return false;
    vip.confirmed = now;
    return true;
}

void VipHands::refuse(Vip& vip, std::string problem) {
    announcer_.stop(vip.config.address);
    vip.here = vip.lost = false;
    if (vip.problem != problem) spdlog::error("{}; trying again", problem);
    vip.problem = std::move(problem);
    answer(vip);
}

void VipHands::release(Vip& vip) {
    const auto& [address, interface, priority] = vip.config;
    announcer_.stop(address);
    rivals_.forget(address);
    vip.lost = false;
    const auto done = addresses_->remove_ours(address);
    const std::string before = std::exchange(vip.problem, "");
    if (!done) {
        vip.problem = done.error().text();
        if (vip.problem != before) spdlog::error("{}; trying again", vip.problem);
        return answer(vip);
    }
    if (done->removed) spdlog::info("VIP {} released from {}", address.to_string(), interface);
    vip.here = false;
    if (!done->left_on.empty()) {
        vip.problem = fmt::format(
            "VIP {} is on {}, and not by us, though this node should not "
            "have it: it is left there",
            address.to_string(), done->left_on);
        if (vip.problem != before) spdlog::warn("{}", vip.problem);
    }
    answer(vip);
}

// Its VIP is gone from the configuration, or is on another interface there.
void VipHands::drop(Vip& vip) {
    const Address address = vip.config.address;
    announcer_.forget(address);
    rivals_.forget(address);
    if (!vip.here) return;
    const auto done = addresses_->remove_ours(address);
    if (!done)
        spdlog::error("{}; its lease ends within {} s", done.error().text(),
                      lease_of(vip.duty).count());
    else
        spdlog::info("VIP {} released from {}", address.to_string(), vip.config.interface);
}

void VipHands::answer(Vip& vip) {
    const bool held = is_held(vip.duty);
    vip.told = sync::VipHolding{.vip = vip.duty->vip,
                                .epoch = vip.duty->epoch,
                                .here = vip.here,
                                .problem = held ? vip.problem : "",
                                .confirmed = vip.here ? vip.confirmed : Time{}};
}

void VipHands::on_lost(const VipLost& lost) {
    const bool slept = quiet();
    const auto found = vips_.find(sync::vip_id(lost.address));
    if (found == vips_.end() || found->second.config.address != lost.address) return;
    Vip& vip = found->second;
    if (!is_held(vip.duty)) {
        vip.here = false;
        if (vip.duty) answer(vip);
        return tell();
    }
    if (slept) {  // then it was its lease
        vip.here = false;
        return;
    }
    const auto now = std::chrono::steady_clock::now();
    spdlog::warn("VIP {} is gone from {}, and not by us: setting it again",
                 lost.address.to_string(), lost.interface);
    const bool again = !vip.losses.empty() && now - vip.losses.back() < mend_pace;
    vip.losses.push_back(now);
    vip.lost = true;
    mend_soon_.within(again ? mend_pace : 0ms);
}

void VipHands::mend() {
    for (auto& [id, vip] : vips_)
        if (vip.lost) take(vip);
    tell();
}

void VipHands::on_link(const LinkChange& change) {
    const bool wait = quiet();
    const bool other =
        !change.before || !change.now || change.before->ifindex != change.now->ifindex;
    const bool found = other || change.before->mac != change.now->mac ||
                       (change.now->carrier && !change.before->carrier);
    for (auto& [id, vip] : vips_) {
        if (vip.config.interface != change.name || !is_held(vip.duty)) continue;
        if (!change.now) {
            // Renamed, it may still have the address: for as long as its lease.
            addresses_->forget(vip.config.address);
            refuse(vip, "VIP " + vip.config.address.to_string() + ": interface " + change.name +
                            " is gone");
        } else if (other || !vip.here) {
            vip.here = false;
            take(vip);
        } else if (found && !wait) {
            announcer_.start(vip.config.address, change.name);
        }
    }
    tell();
}

void VipHands::tick() {
    if (!quiet()) {
        const auto now = std::chrono::steady_clock::now();
        if (std::exchange(was_quiet_, false)) resume();
        if (now >= next_renewal_) renew();
        fight();
    }
    tell();
    report();
    ticks_.expires_after(tick_time);
    ticks_.async_wait(
        [this, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
            // One that was due already comes without an error, whatever has been cancelled since.
            if (!error && !alive.expired()) tick();
        });
}

// Awake again, and nobody has told this node to let go.
void VipHands::resume() {
    for (auto& [id, vip] : vips_) {
        if (!is_held(vip.duty)) continue;
        if (vip.here && !vip.lost)
            announcer_.start(vip.config.address, vip.config.interface);
        else
            take(vip);
    }
    next_renewal_ = {};
}

void VipHands::renew() {
    next_renewal_ = std::chrono::steady_clock::now() + renewal_time;
    for (auto& [id, vip] : vips_) {
        if (!vip.duty) continue;
        const bool set = vip.here && !vip.lost;
        if (vip.duty->what == What::absent) {
            if (!vip.problem.empty()) release(vip);
        } else if (set) {
            if (renew(vip))
                answer(vip);
            else if (is_held(vip.duty))
                take(vip);
        } else if (is_held(vip.duty)) {
            take(vip);
        }
    }
}

void VipHands::fight() {
    const auto here = [&](const Address& address) {
        const auto found = vips_.find(sync::vip_id(address));
        return found != vips_.end() && found->second.config.address == address &&
               is_held(found->second.duty) && found->second.here;
    };
    const bool any = std::any_of(vips_.begin(), vips_.end(),
                                 [&](const auto& one) { return here(one.second.config.address); });
    if (!any || !callbacks_.look_for_rivals) return;
    auto seen = callbacks_.look_for_rivals();
    std::erase_if(seen, [&](const VipRival& rival) { return !here(rival.vip); });
    const auto now = std::chrono::steady_clock::now();
    for (const Address& vip : rivals_.take(seen, now))
        announcer_.once(vip);
    tell_rivals(now);
}

// All of them whenever one is seen: who is told replaces what he knew.
void VipHands::tell_rivals(Time now) {
    if (!callbacks_.on_rivals) return;
    auto recent = rivals_.recent(now);
    if (std::none_of(recent.begin(), recent.end(),
                     [&](const VipRival& rival) { return rival.last == now; }))
        return;
    std::erase_if(recent, [&](const VipRival& rival) { return now - rival.last > rival_lately; });
    // XDP sees the parts of a VLAN or a bond; asked is on the link that the VIP is on.
    for (VipRival& rival : recent)
        if (const auto vip = vips_.find(sync::vip_id(rival.vip)); vip != vips_.end())
            rival.interface = vip->second.config.interface;
    callbacks_.on_rivals(recent);
}

void VipHands::tell() {
    std::vector<sync::VipHolding> all;
    for (const auto& [id, vip] : vips_)
        if (vip.told) all.push_back(*vip.told);
    if (all == told_) return;
    told_ = all;
    if (callbacks_.on_holdings) callbacks_.on_holdings(std::move(all));
}

void VipHands::report() {
    VipHolderReport now;
    for (const auto& [id, vip] : vips_)
        now.vips.push_back({vip.config.address, vip.config.interface, vip.here, vip.problem,
                            announcer_.sent(vip.config.address), vip.restored});
    now.rivals = rivals_.recent(std::chrono::steady_clock::now());
    if (now == reported_) return;
    reported_ = std::move(now);
    if (callbacks_.on_report) callbacks_.on_report(reported_);
}

}  // namespace bascule::node
