// SPDX-License-Identifier: Apache-2.0
// A node with VIPs: a HeartbeatPort, and in place of those who have addresses and the data plane,
// who says at once that what should be here is here, and remembers until when it would be found.
#pragma once

#include <map>
#include <mutex>
#include <thread>

#include "tests/unit/sync/heartbeat_bed.h"

namespace bascule::sync {

class VipNode {
public:
    VipNode(HeartbeatBed& bed, const std::string& name, Incarnation incarnation,
            std::vector<TakeoverVip> vips)
        : vips_(std::move(vips)) {
        HeartbeatPortOptions options{bed.cluster, name, incarnation, "0.1.0"};
        options.takeover.vips = vips_;
        options.takeover.listen = std::chrono::milliseconds(200);
        HeartbeatPort::Callbacks callbacks;
        callbacks.on_report = [this](const HeartbeatReport& news) { take(news); };
        callbacks.on_change = [](const MembershipChange&) {};
        callbacks.probe_stream = [](std::size_t) {};
        callbacks.on_duties = [this](std::vector<VipDuty> duties) {
            const std::lock_guard lock(mutex_);
            duties_ = std::move(duties);
            answered_ = false;
        };
        callbacks.set_deadlines = [this](std::span<const VipDeadline> deadlines) {
            set(deadlines);
        };
        port_ = std::make_unique<HeartbeatPort>(bed.io, std::move(options), keys_of({key_of(1)}),
                                                std::move(callbacks));
        set_fitness(fit());
    }
    VipNode(const VipNode&) = delete;
    VipNode& operator=(const VipNode&) = delete;
    ~VipNode() {
        asleep_ = false;
        port_.reset();
    }

    HeartbeatPort& port() { return *port_; }
    OwnFitness fit() const {
        OwnFitness out{.attached = true, .synced = true, .vips = {}};
        for (const TakeoverVip& vip : vips_)
            out.vips.push_back({.vip = vip.vip, .carrier = true});
        return out;
    }
    void set_fitness(const OwnFitness& fitness) { port_->set_fitness(fitness); }

    // To be called all the time: the address is there, as it should be.
    void serve() {
        std::vector<VipHolding> holdings;
        {
            const std::lock_guard lock(mutex_);
            if (std::exchange(answered_, true)) return;
            for (const VipDuty& duty : duties_)
                holdings.push_back({.vip = duty.vip,
                                    .epoch = duty.epoch,
                                    .here = duty.what != VipDuty::What::absent,
                                    .problem = {}});
        }
        port_->set_holdings(std::move(holdings));
    }
    // The heartbeat thread stands still, as in a host that is suspended, until it is let go.
    void sleep() { asleep_ = true; }
    void wake() { asleep_ = false; }

    VipDuty::What duty(VipId vip) const {
        const std::lock_guard lock(mutex_);
        for (const VipDuty& duty : duties_)
            if (duty.vip == vip) return duty.what;
        return VipDuty::What::absent;
    }
    bool found(VipId vip) const { return until(vip) > std::chrono::steady_clock::now(); }
    Moment until(VipId vip) const {
        const std::lock_guard lock(mutex_);
        const auto deadline = until_.find(vip);
        return deadline == until_.end() ? Moment::min() : deadline->second;
    }
    bool holds(VipId vip) const { return duty(vip) == VipDuty::What::held && found(vip); }
    const VipView* view(VipId vip) const {
        for (const VipView& one : report.vips)
            if (one.vip == vip) return &one;
        return nullptr;
    }
    std::string holder(VipId vip) const {
        const VipView* seen = view(vip);
        return seen == nullptr ? "" : seen->holder;
    }
    bool moved(VipId vip, VipMove::What what) const {
        return std::ranges::any_of(
            moves, [&](const VipMove& move) { return move.vip == vip && move.what == what; });
    }
    std::size_t rounds() const {
        const std::lock_guard lock(mutex_);
        return rounds_;
    }

    HeartbeatReport report;
    std::vector<VipMove> moves;

private:
    void take(const HeartbeatReport& news) {
        report = news;
        moves.insert(moves.end(), news.moves.begin(), news.moves.end());
    }
    // On the heartbeat thread.
    void set(std::span<const VipDeadline> deadlines) {
        {
            const std::lock_guard lock(mutex_);
            for (const VipDeadline& one : deadlines)
                until_[one.vip] = one.until;
            ++rounds_;
        }
        while (asleep_)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }

    std::vector<TakeoverVip> vips_;
    mutable std::mutex mutex_;
    std::vector<VipDuty> duties_;
    std::map<VipId, Moment> until_;
    std::size_t rounds_ = 0;
    bool answered_ = true;
    std::atomic<bool> asleep_{false};
    std::unique_ptr<HeartbeatPort> port_;
};

}  // namespace bascule::sync
