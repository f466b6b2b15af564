// SPDX-License-Identifier: Apache-2.0
// One run's part in takeover: what the heartbeat thread does after each
// heartbeat and tick, the hands, and what the control thread knows of this
// node, a little late.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "sim/vip_hands.h"
#include "sync/heartbeat_vips.h"

namespace bascule::sim {

// What of a node's VIPs outlives a run of its daemon.
struct NodeVipsHost {
    explicit NodeVipsHost(std::size_t vips) : kernel(vips) {}
    VipHost kernel;
    HandsTrouble hands;
    std::vector<std::uint32_t> priorities;
    sync::Epoch disk = 0;  // epochs are reserved so far
    Time blind_since{0};   // no witness answers
    Time detached{-1h};    // the last time that a program was, by hand
    bool hears = true;     // a link that heartbeats go by is up
    Time hears_since{0};
};

// What happens to VIPs; seen by the judge.
class VipEvents {
public:
    virtual ~VipEvents() = default;
    virtual void on_duties(std::size_t node, std::span<const sync::VipDuty> duties) = 0;
    virtual void on_announced(std::size_t node, std::size_t vip) = 0;
    virtual void on_vip_move(std::size_t node, const sync::VipMove& move) = 0;
};

class NodeVips {
public:
    struct Around {
        std::size_t index;
        const Plan& plan;
        Random& random;
        NodeVipsHost& host;
        VipEvents& events;
        std::function<void(Time, Schedule::Action)> later;  // while this run lasts
        std::function<sync::Moment()> now;
        std::function<bool()> in_step;  // as the replica says
        std::function<std::uint64_t()> digest;
        std::function<void()> turn;  // of the heartbeat thread: it has mail
        std::function<void()> end;   // the daemon has handed over, and stops
    };
    NodeVips(Around around, std::vector<std::string> peers, sync::Membership& membership);

    // ---- the heartbeat thread ----
    // What others have sent.
    void read();
    // True: what it claims is to be said at once.
    bool look(sync::Nanoseconds slept) { return vips_.look(membership_, slept, around_.now()); }
    void sent_round() { vips_.sent_round(membership_, ~std::uint32_t{0}, around_.now()); }
    sync::Moment next() const { return vips_.next(); }

    // ---- control ----
    // Something has changed: it finds out.
    void wake_control();
    void leave();
    bool is_leaving() const { return leaving_; }
    void move(std::size_t vip);
    void reload();
    void mend() { hands_.mend(); }

private:
    sync::TakeoverOptions options() const;
    sync::HeartbeatPort::Callbacks callbacks();
    void set_deadlines(std::span<const sync::VipDeadline> deadlines);
    VipHands::Around hands();
    void report();
    void control();
    void say();
    void hand_over(sync::Moment until);
    void mail();

    Around around_;
    sync::Membership& membership_;
    sync::HeartbeatInbox inbox_;
    VipHands hands_;
    sync::HeartbeatVips vips_;
    std::optional<sync::OwnFitness> said_;
    std::uint64_t said_digest_ = 0;
    std::vector<sync::VipView> views_;
    sync::Moment began_;
    bool control_due_ = false;
    bool mail_due_ = false;
    bool mending_program_ = false;
    bool leaving_ = false;
    bool parting_ = false;  // says good-bye
};

}  // namespace bascule::sim
