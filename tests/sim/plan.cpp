// SPDX-License-Identifier: Apache-2.0
#include "sim/plan.h"

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "sim/random.h"

namespace bascule::sim {
namespace {

constexpr std::array<std::pair<Breakage, const char*>, 29> names = {{
    {Breakage::none, "none"},
    {Breakage::lost_batch, "lost-batch"},
    {Breakage::deaf_compare, "deaf-compare"},
    {Breakage::younger, "younger"},
    {Breakage::other_target, "other-target"},
    {Breakage::embryonic, "embryonic"},
    {Breakage::late_end, "late-end"},
    {Breakage::let_replay_in, "let-replay-in"},
    {Breakage::deaf_ear, "deaf-ear"},
    {Breakage::eternal_answer, "eternal-answer"},
    {Breakage::no_tombstones, "no-tombstones"},
    {Breakage::no_bound, "no-bound"},
    {Breakage::idle_hands, "idle-hands"},
    {Breakage::announced_once, "announced-once"},
    {Breakage::found_for_ever, "found-for-ever"},
    {Breakage::late_deadline, "late-deadline"},
    {Breakage::blind_witness, "blind-witness"},
    {Breakage::always_in_step, "always-in-step"},
    {Breakage::eternal_carrier, "eternal-carrier"},
    {Breakage::unheard_claims, "unheard-claims"},
    {Breakage::forgotten_word, "forgotten-word"},
    {Breakage::forgotten_epoch, "forgotten-epoch"},
    {Breakage::no_refresh, "no-refresh"},
    {Breakage::wordless_answer, "wordless-answer"},
    {Breakage::nameless_hearsay, "nameless-hearsay"},
    {Breakage::held_parting, "held-parting"},
    {Breakage::unconfirmed, "unconfirmed"},
    {Breakage::early_ear, "early-ear"},
    {Breakage::misunderstood, "misunderstood"},
}};

void plan_vips(Plan& plan, Random& random) {
    plan.vips = random.one_of<std::size_t>({1, 1, 2});
    plan.failback = random.chance(0.8);
    plan.failback_delay = random.one_of<Time>({0ms, 0ms, 2s});
    plan.witness = random.chance(0.4);
    if (random.chance(0.06) || plan.breakage == Breakage::misunderstood)
        plan.newer = random.below(plan.nodes);
    // Only who takes back can do so too early.
    if (plan.breakage == Breakage::always_in_step) {
        plan.failback = true;
        plan.failback_delay = 0ms;
        plan.chaos = 8s;
    }
    for (std::size_t node = 0; node < plan.nodes; ++node) {
        plan.priorities.emplace_back();
        for (std::size_t vip = 0; vip < plan.vips; ++vip)
            plan.priorities.back().push_back(random.one_of<std::uint32_t>({50, 100, 150}));
    }
}

}  // namespace

const std::vector<Breakage>& all_breakages() {
    static const std::vector<Breakage> all = [] {
        std::vector<Breakage> made;
        for (const auto& [breakage, name] : names)
            if (breakage != Breakage::none) made.push_back(breakage);
        return made;
    }();
    return all;
}

const char* name_of(Breakage breakage) {
    for (const auto& [known, name] : names)
        if (known == breakage) return name;
    return "?";
}

std::optional<Breakage> breakage_of(std::string_view name) {
    for (const auto& [breakage, known] : names)
        if (name == known) return breakage;
    return std::nullopt;
}

Plan make_plan(std::uint64_t seed, Breakage breakage) {
    Random random(seed ^ 0x62617363756c65U);
    Plan plan;
    plan.seed = seed;
    plan.breakage = breakage;
    // Pairs are what is installed most.
    plan.nodes = random.one_of<std::size_t>({2, 2, 2, 2, 2, 3, 3, 3, 4, 5});
    plan.paths = random.one_of<std::size_t>({1, 2});
    plan.interval = random.one_of<Time>({50ms, 100ms, 200ms});
    plan.dead_after = random.one_of<std::uint32_t>({2, 3, 5});
    plan.chaos = random.one_of<Time>({500ms, 1s, 2s, 2s, 4s, 8s});
    plan.stream_silence = random.one_of<Time>({1s, 3s});
    plan.limit = random.one_of<std::uint32_t>({8, 20, 600, 600});
    plan.flows = random.one_of<std::size_t>({2, 6, 16, 24});
    plan.room = random.one_of<std::size_t>({1000, 1000, 1000, 12});
    plan.log_bytes = random.one_of<std::size_t>({512, 4096, 65536});
    plan.most_unsent = random.one_of<std::size_t>({1000, 16384, 262144});
    plan.bytes_a_microsecond = random.one_of<double>({0.05, 1, 100});
    // Two nodes that do not lose their memory come together without.
    plan.audit_interval = random.one_of<Time>({1s, 2s, 1000s});
    if (plan.nodes > 2) plan.audit_interval = std::min<Time>(plan.audit_interval, 2s);
    plan.between_events = random.one_of<Time>({10ms, 50ms, 200ms});
    plan.between_troubles = random.one_of<Time>({150ms, 500ms, 2s});
    plan_vips(plan, random);
    // What lasts for seconds has to be left alone for so long.
    if (breakage == Breakage::wordless_answer || breakage == Breakage::unconfirmed) {
        plan.chaos = 10s;
        plan.between_troubles = 2s;
    }
    // With less room, or a log that a single batch overflows, copies may go:
    // nobody promises more.
    const bool kept = plan.room >= plan.flows && plan.log_bytes >= 4096;
    if (plan.limit == 8 && kept && random.chance(0.3)) plan.calm_life = 16s;
    return plan;
}

std::string Plan::text() const {
    const auto milliseconds = [](Time time) { return std::to_string(time / 1ms) + " ms"; };
    std::ostringstream out;
    out << nodes << " nodes, " << paths << " paths, interval " << milliseconds(interval) << " x "
        << dead_after << ", chaos " << milliseconds(chaos) << ", limit " << limit << " s, " << flows
        << " flows, room " << room << ", log " << log_bytes << ", unsent " << most_unsent
        << ", bytes/us " << bytes_a_microsecond << ", audit " << milliseconds(audit_interval)
        << ", stream silence " << milliseconds(stream_silence) << ", events "
        << milliseconds(between_events) << ", troubles " << milliseconds(between_troubles);
    out << ", " << vips << " VIPs, failback "
        << (failback ? "after " + milliseconds(failback_delay) : std::string("never"))
        << (witness ? ", witness" : "")
        << (newer ? ", a newer release at lb" + std::to_string(*newer + 1) : std::string())
        << ", priorities";
    for (const auto& of_node : priorities)
        for (const std::uint32_t priority : of_node)
            out << " " << priority;
    if (calm_life > Time(0)) out << ", calm life " << milliseconds(calm_life);
    if (breakage != Breakage::none) out << ", broken: " << name_of(breakage);
    return out.str();
}

}  // namespace bascule::sim
