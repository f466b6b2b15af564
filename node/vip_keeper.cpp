// SPDX-License-Identifier: Apache-2.0
#include "node/vip_keeper.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

AnnouncementRow announcements() {
    return {.after = {50ms, 250ms, 1250ms, 6250ms}};
}
// Whoever takes a VIP away again and again is answered at this pace, not in a tight loop.
constexpr auto restore_after = 50ms;
// What the kernel refuses is tried again at this one.
constexpr auto retry_after = 5s;

Result<Link> link_of(const std::string& interface) {
    auto requests = NetlinkRequests::open();
    if (!requests) return failure(std::move(requests.error()));
    return find_link(*requests, interface);
}

std::string taken(const model::VipConfig& vip, const Mac& mac) {
    return fmt::format(
        "VIP {0} is held by another host: {1} answers for it on {2}. If that is a real server of "
        "yours, it must keep silent about the VIP: put it on lo, with sysctl "
        "net.ipv4.conf.all.arp_ignore=1 and net.ipv4.conf.all.arp_announce=2",
        vip.address.to_string(), mac.to_string(), vip.interface);
}

}  // namespace

VipKeeper::VipKeeper(asio::io_context& io, OnHeld on_held)
    : io_(io), on_held_(std::move(on_held)), probe_(io), announcer_(io, announcements()) {}

Result<std::unique_ptr<VipKeeper>> VipKeeper::open(asio::io_context& io, OnHeld on_held) {
    std::unique_ptr<VipKeeper> keeper(new VipKeeper(io, std::move(on_held)));
    auto addresses =
        VipAddresses::open(io, [k = keeper.get()](const VipLost& lost) { k->on_lost(lost); });
    if (!addresses) return failure(std::move(addresses.error()));
    keeper->addresses_ = std::move(*addresses);
    return keeper;
}

asio::awaitable<Result<void>> VipKeeper::check_free(std::vector<model::VipConfig> vips) {
    struct Round {
        std::size_t waiting = 0;
        std::string conflict;
        asio::steady_timer done;
    };
    auto round = std::make_shared<Round>(Round{0, {}, asio::steady_timer(io_)});
    round->done.expires_at(asio::steady_timer::time_point::max());

    auto present = addresses_->list();
    if (!present) co_return failure(std::move(present.error()));
    for (const auto& vip : vips) {
        // On whichever interface: this host itself would answer for it.
        if (std::any_of(present->begin(), present->end(),
                        [&](const auto& entry) { return entry.address == vip.address; }))
            continue;
        auto link = link_of(vip.interface);
        if (!link) co_return failure(std::move(link.error()));
        ++round->waiting;
        probe_.start(*link, vip.address, [round, vip](Result<std::optional<Mac>> answer) {
            if (!answer)
                spdlog::warn("VIP {}: not asked whether it is free: {}", vip.address.to_string(),
                             answer.error().text());
            else if (*answer && round->conflict.empty())
                round->conflict = taken(vip, **answer);
            if (--round->waiting == 0) round->done.cancel();
        });
    }
    boost::system::error_code ignored;
    if (round->waiting > 0)
        co_await round->done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (!round->conflict.empty()) co_return failure(round->conflict);
    co_return Result<void>{};
}

bool VipKeeper::is_here(const Address& vip) const {
    const auto present = addresses_->list();
    return present && std::any_of(present->begin(), present->end(),
                                  [&](const auto& entry) { return entry.address == vip; });
}

Result<void> VipKeeper::hold(const model::VipConfig& vip) {
    VipStatus& status = held_[vip.address];
    status.interface = vip.interface;
    auto outcome = addresses_->add(vip.address, vip.interface);
    status.held = outcome.has_value();
    status.problem = outcome ? "" : outcome.error().text();
    on_held_(vip.address, status.held);
    if (!outcome) return failure(std::move(outcome.error()));
    spdlog::info("VIP {} {} {}", vip.address.to_string(),
                 *outcome == VipOutcome::added ? "set on" : "already on", vip.interface);
    restoring_.erase(vip.address);
    announcer_.start(vip.address, vip.interface);
    return {};
}

void VipKeeper::keep(const model::VipConfig& vip) {
    const auto known = held_.find(vip.address);
    const std::string before = known == held_.end() ? "" : known->second.problem;
    auto held = hold(vip);
    if (held) return;
    if (held.error().text() != before) spdlog::error("{}; trying again", held.error().text());
    restore_in(retry_after, vip.address);
}

void VipKeeper::keep_on(const std::string& interface) {
    for (const auto& [vip, status] : held_)
        if (status.interface == interface) keep({vip, interface});
}

void VipKeeper::announce_on(const std::string& interface) {
    for (const auto& [vip, status] : held_)
        if (status.interface == interface && status.held) announcer_.start(vip, interface);
}

Result<void> VipKeeper::release(const Address& vip) {
    const auto held = held_.find(vip);
    if (held == held_.end()) return {};
    restoring_.erase(vip);
    announcer_.forget(vip);
    auto removed = addresses_->remove(vip, held->second.interface);
    if (!removed) {
        held->second.problem = removed.error().text();
        return failure(std::move(removed.error()));
    }
    spdlog::info("VIP {} released from {}", vip.to_string(), held->second.interface);
    held_.erase(held);
    on_held_(vip, false);
    return {};
}

void VipKeeper::leave() {
    for (const auto& [vip, status] : held_) {
        addresses_->forget(vip);
        announcer_.forget(vip);
    }
    restoring_.clear();
    held_.clear();
}

void VipKeeper::on_lost(const VipLost& lost) {
    const auto held = held_.find(lost.address);
    if (held == held_.end()) return;
    held->second.held = false;
    held->second.problem = "was taken away, and not by us";
    announcer_.stop(lost.address);
    on_held_(lost.address, false);
    spdlog::warn("VIP {} is gone from {}, and not by us: setting it again",
                 lost.address.to_string(), lost.interface);
    restore_in(restore_after, lost.address);
}

void VipKeeper::restore_in(std::chrono::milliseconds delay, const Address& vip) {
    auto& timer = restoring_.try_emplace(vip, io_).first->second;
    timer.expires_after(delay);
    timer.async_wait([this, vip](const boost::system::error_code& error) {
        if (error) return;
        const auto held = held_.find(vip);
        if (held == held_.end() || held->second.held) return;
        keep({vip, held->second.interface});
        restored_ += held->second.held;
    });
}

Result<std::vector<std::string>> VipKeeper::release_others(
    const std::function<bool(const Address&)>& keep) {
    asio::io_context io;
    auto addresses = VipAddresses::open(io, [](const VipLost&) {});
    if (!addresses) return failure(std::move(addresses.error()));
    auto all = (*addresses)->list();
    if (!all) return failure(std::move(all.error()));
    std::vector<std::string> released;
    for (const auto& entry : *all) {
        if (!entry.ours || keep(entry.address)) continue;
        auto removed = (*addresses)->remove(entry.address, interface_name(entry.ifindex));
        if (!removed) return failure(std::move(removed.error()));
        released.push_back(entry.address.to_string());
    }
    return released;
}

}  // namespace bascule::node
