// SPDX-License-Identifier: Apache-2.0
#include "node/vip_duty.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "node/readiness.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// Between two attempts at what the kernel or another host refuses.
constexpr auto retry_time = 5s;

bool may_be_given_up(const model::Config& config, const Address& vip) {
    return std::any_of(config.services.begin(), config.services.end(), [&](const auto& service) {
        return service.give_up_vip && service.vip == vip;
    });
}

bool same_place(const model::VipConfig& one, const model::VipConfig& other) {
    return one.address == other.address && one.interface == other.interface;
}

}  // namespace

VipDuty::VipDuty(asio::io_context& io, VipKeeper& keeper, const State& state, EventLog& events)
    : io_(io), keeper_(keeper), state_(state), events_(events), again_(io, [this] {
          give_up();
          take_back();
      }) {}

std::vector<Address> VipDuty::rest() {
    std::vector<Address> held;
    for (const auto& [address, status] : keeper_.status())
        if (status.held) held.push_back(address);
    resting_ = true;
    again_.cancel();
    problems_.clear();
    keeper_.leave();
    return held;
}

std::vector<model::VipConfig> VipDuty::wanted(const model::Config& config) const {
    if (config.cluster) return config.vips;
    std::vector<model::VipConfig> vips;
    std::copy_if(config.vips.begin(), config.vips.end(), std::back_inserter(vips),
                 [&](const auto& vip) { return state_.wants_vip(vip.address, config); });
    return vips;
}

std::vector<model::VipConfig> VipDuty::missing(const model::Config& config) const {
    if (config.cluster) return {};
    auto vips = wanted(config);
    std::erase_if(vips, [&](const auto& vip) {
        const auto known = keeper_.status().find(vip.address);
        return known != keeper_.status().end() && known->second.interface == vip.interface;
    });
    return vips;
}

std::vector<model::VipConfig> VipDuty::to_hold(const model::Config& config) const {
    auto vips = missing(config);
    std::erase_if(vips, [&](const auto& vip) {
        const bool unsure = unsure_.contains(vip.address) || given_up_.contains(vip.address);
        return unsure && may_be_given_up(config, vip.address);
    });
    return vips;
}

void VipDuty::begin(const model::Config& config) {
    for (const auto& vip : config.vips)
        if (may_be_given_up(config, vip.address) && !keeper_.is_here(vip.address))
            unsure_.insert(vip.address);
}

Result<void> VipDuty::release_others(const model::Config& config) {
    const auto keep = wanted(config);
    const auto known = keeper_.status();
    Result<void> outcome;
    for (const auto& held : known) {
        const bool stays = std::any_of(keep.begin(), keep.end(), [&](const auto& vip) {
            return vip.address == held.first && vip.interface == held.second.interface;
        });
        if (stays) continue;
        if (auto released = keeper_.release(held.first); !released && outcome)
            outcome = std::move(released);
    }
    return outcome;
}

Result<void> VipDuty::hold(const model::Config& config) {
    if (resting_) return {};
    for (const auto& vip : to_hold(config))
        if (auto held = keeper_.hold(vip); !held) return held;
    return {};
}

void VipDuty::keep(const model::Config& config) {
    if (resting_) return;
    for (const auto& vip : to_hold(config))
        keeper_.keep(vip);
}

// ---- while it runs ----

void VipDuty::give_up() {
    if (stopped_) return;
    if (auto released = release_others(state_.config()); !released) {
        spdlog::error("{}; trying again", released.error().text());
        again_.within(retry_time);
    }
    note_given_up();
}

void VipDuty::take_back() {
    if (stopped_ || resting_) return;
    note_taken();
    for (const auto& vip : missing(state_.config()))
        if (asking_.insert(vip.address).second) asio::co_spawn(io_, retake(vip), asio::detached);
}

// Another host may have taken it meanwhile: that is what it was given up for.
asio::awaitable<void> VipDuty::retake(model::VipConfig vip) {
    const std::vector<model::VipConfig> alone(1, vip);
    const auto free = co_await keeper_.check_free(alone);
    asking_.erase(vip.address);
    if (stopped_ || resting_) co_return;
    const auto missing_now = missing(state_.config());
    if (std::none_of(missing_now.begin(), missing_now.end(),
                     [&](const auto& other) { return same_place(vip, other); })) {
        again_.within(0s);  // it may be wanted on another interface
        co_return;
    }
    std::string& problem = problems_[vip.address];
    if (!free) {
        if (free.error().text() != problem) spdlog::error("{}; trying again", free.error().text());
        problem = free.error().text();
        again_.within(retry_time);
        co_return;
    }
    problem.clear();
    unsure_.erase(vip.address);
    keeper_.keep(vip);
    note_taken();
}

void VipDuty::note_given_up() {
    const auto& vips = state_.config().vips;
    std::erase_if(given_up_, [&](const Address& address) {
        return std::none_of(vips.begin(), vips.end(),
                            [&](const auto& vip) { return vip.address == address; });
    });
    for (const auto& vip : vips) {
        if (state_.wants_vip(vip.address)) {
            if (resting_) given_up_.erase(vip.address);  // who takes it is told elsewhere
            continue;
        }
        // In a cluster it is news where this node has it, and takeover lets it go.
        const bool is_news =
            resting_ ? state_.is_held(vip.address) : !keeper_.status().contains(vip.address);
        if (is_news && given_up_.insert(vip.address).second)
            events_.add(Event::Kind::vip_given_up, vip.address.to_string(), why(vip.address));
    }
}

void VipDuty::note_taken() {
    for (auto vip = given_up_.begin(); vip != given_up_.end();) {
        const auto known = keeper_.status().find(*vip);
        if (known == keeper_.status().end() || !known->second.held) {
            ++vip;
            continue;
        }
        events_.add(Event::Kind::vip_taken_back, vip->to_string(), why(*vip));
        vip = given_up_.erase(vip);
    }
}

std::string VipDuty::why(const Address& vip) const {
    std::string text;
    for (const auto& service : state_.config().services) {
        if (service.vip != vip || !service.give_up_vip) continue;
        const ServiceView view = state_.view(service);
        if (!text.empty()) text += "; ";
        text += fmt::format("service {}: {}", service.name, in_words(service, view));
    }
    return text.empty() ? "no service gives it up any more" : text;
}

void VipDuty::stop() {
    stopped_ = true;
    again_.cancel();
}

}  // namespace bascule::node
