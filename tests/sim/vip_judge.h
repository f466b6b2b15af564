// SPDX-License-Identifier: Apache-2.0
// What has to hold for VIPs after every step, and once all has healed: that
// each is found at one node, soon after whatever befell it, and that nobody
// takes what it should not. The bounds are told at each of them in
// vip_judge.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/judge.h"
#include "sim/node_vips.h"

namespace bascule::sim {

// Until the control thread knows of what has befallen this node, and has said
// it.
inline constexpr Time control_knows = 125ms;

// Hands, mail between threads, and a datagram on its way without trouble.
inline constexpr Time hands_and_mail = most_hand_delay + 5ms;

class VipJudge {
public:
    VipJudge(const Plan& plan, const Schedule& schedule, const Paths& paths, const Nodes& nodes,
             const Judge& judge);

    // After every step. Throws Violation.
    void judge();
    // Something befell a node or the network that may move a VIP; `allowance`:
    // what it takes to be noticed, besides finding out who is dead.
    void on_event(Time allowance = Time(0));
    // Heartbeats are lost or late from now on, or no longer.
    void on_disturbed(bool disturbed);
    // The operator's word.
    void on_word(std::size_t node, std::size_t vip);
    // A run begins.
    // `floor`: the epochs that its disk remembers.
    void on_start(std::size_t node, sync::Epoch floor);
    void on_heartbeat(std::size_t from, const std::vector<sync::VipClaim>& claims);

    void on_duties(std::size_t node, std::span<const sync::VipDuty> duties);
    void on_announced(std::size_t node, std::size_t vip);

    // What is not as it has to be once all has healed; empty: nothing.
    std::string still_apart() const;
    // Who took a VIP, and may not be known to have it yet; empty: nobody.
    std::string on_its_way() const;
    std::uint64_t takings() const { return takings_; }

private:
    struct OfNode {  // and VIP
        bool held = false;
        std::optional<Time> decided_at;  // in this run: it takes away what an earlier one has left
        bool takes_by_word = false;
        sync::Epoch epoch = 0;
        sync::VipClaim said{};  // in its last heartbeat
        Time ordered{0};        // to have it
        Time started{0};        // this run
        Time asked{-1h};        // by the operator
        Time offered{-1h};      // it said so
        std::optional<Time> eligible_since;
        std::optional<Time> found_since;
    };
    struct Pair {
        std::optional<Time> both_since;
        bool one_yields = false;  // ever since
        bool other_yields = false;
    };
    struct Demotion {  // one of two that were found is found no more
        Time at{0};
        std::size_t winner = 0;
        std::size_t loser = 0;
    };
    OfNode& of(std::size_t node, std::size_t vip) { return of_[node * plan_.vips + vip]; }
    const OfNode& of(std::size_t node, std::size_t vip) const {
        return of_[node * plan_.vips + vip];
    }
    void look(std::size_t vip);
    void judge_none(std::size_t vip) const;
    void judge_both(std::size_t vip, std::size_t one, std::size_t other);
    void judge_both_speaking(std::size_t vip, std::size_t one, std::size_t other, Time since) const;
    void judge_both_by_stream(std::size_t vip, std::size_t one, std::size_t other,
                              Time since) const;
    void judge_both_by_third(std::size_t vip, std::size_t one, std::size_t other, Time since) const;
    void judge_parted(std::size_t vip, std::size_t gone, std::size_t taker, Time since) const;
    void judge_listened(std::size_t node, std::size_t vip) const;
    [[noreturn]] void complain_of_both(std::size_t vip, std::size_t one, std::size_t other,
                                       Time from, const std::string& how) const;
    bool yields(std::size_t node, std::size_t vip) const;
    bool streams_are_slow() const;
    bool is_mixed(std::size_t one, std::size_t other) const;
    Time reaction() const;
    void judge_silent(std::size_t vip, std::size_t silent, std::size_t other) const;
    void note_demotion(std::size_t vip, std::size_t one, std::size_t other);
    void judge_announced(std::size_t vip);
    void judge_cut_off(std::size_t vip, std::size_t node) const;
    void judge_taking(std::size_t node, std::size_t vip, sync::Epoch epoch);
    void judge_taking_from(std::size_t node, std::size_t vip, std::size_t holder) const;
    bool is_eligible(std::size_t node, std::size_t vip) const;
    bool may_listen(std::size_t node, std::size_t vip) const;
    std::optional<Time> decided(std::size_t one, std::size_t other, std::size_t vip) const;
    bool is_found(std::size_t node, std::size_t vip) const;
    bool is_awake(std::size_t node) const;
    bool obeys(std::size_t node) const;
    Time hears_since(std::size_t node, std::size_t other) const;
    bool knows(std::size_t node, std::size_t other) const;
    bool never_heard(std::size_t node, std::size_t other) const;  // in this run
    bool one_way_somewhere() const;
    bool only_streams_somewhere() const;
    std::string best(std::size_t vip) const;
    std::string vip_name(std::size_t vip) const { return "VIP " + std::to_string(vip + 1); }

    const Plan& plan_;
    const Schedule& schedule_;
    const Paths& paths_;
    const Nodes& nodes_;
    const Judge& judge_;
    std::vector<OfNode> of_;
    std::vector<Pair> pairs_;                         // by VIP and two nodes
    std::vector<std::optional<Demotion>> demotions_;  // by VIP
    std::vector<std::size_t> announced_;              // by VIP: who did last
    Time calm_from_{0};                               // what befell has been noticed by then
    Time last_event_{0};
    bool disturbed_ = false;
    std::uint64_t takings_ = 0;
};

}  // namespace bascule::sim
