// SPDX-License-Identifier: Apache-2.0
#include "sim/vip_judge.h"

#include <algorithm>

namespace bascule::sim {
namespace {

using sync::VipRole;
using What = sync::VipDuty::What;

std::string ms(Time time) {
    return std::to_string(time / 1ms) + " ms";
}

}  // namespace

VipJudge::VipJudge(const Plan& plan, const Schedule& schedule, const Paths& paths,
                   const Nodes& nodes, const Judge& judge)
    : plan_(plan),
      schedule_(schedule),
      paths_(paths),
      nodes_(nodes),
      judge_(judge),
      of_(plan.nodes * plan.vips),
      pairs_(plan.nodes * plan.nodes * plan.vips),
      demotions_(plan.vips),
      announced_(plan.vips, plan.nodes) {}

// ---- what befell ----

void VipJudge::on_event(Time allowance) {
    last_event_ = schedule_.now();
    calm_from_ = std::max(calm_from_, schedule_.now() + allowance);
}

void VipJudge::on_disturbed(bool disturbed) {
    disturbed_ = disturbed;
    on_event();
}

void VipJudge::on_word(std::size_t node, std::size_t vip) {
    of(node, vip).asked = schedule_.now();
}

void VipJudge::on_start(std::size_t node, sync::Epoch floor) {
    on_event(plan_.listen() + control_knows);
    for (std::size_t vip = 0; vip < plan_.vips; ++vip) {
        of(node, vip).held = false;
        of(node, vip).decided_at.reset();
        of(node, vip).said = {};
        of(node, vip).started = schedule_.now();
        of(node, vip).epoch = floor;
    }
}

void VipJudge::on_heartbeat(std::size_t from, const std::vector<sync::VipClaim>& claims) {
    for (const sync::VipClaim& claim : claims) {
        OfNode& it = of(from, vip_of(claim.vip));
        it.said = claim;
        if (claim.role == VipRole::offering) it.offered = schedule_.now();
    }
}

void VipJudge::on_announced(std::size_t node, std::size_t vip) {
    announced_[vip] = node;
}

void VipJudge::on_duties(std::size_t node, std::span<const sync::VipDuty> duties) {
    for (const sync::VipDuty& duty : duties) {
        OfNode& known = of(node, vip_of(duty.vip));
        const bool held = duty.what == What::held;
        if (held && (!known.held || known.epoch != duty.epoch))
            judge_taking(node, vip_of(duty.vip), duty.epoch);
        known.held = held;
        if (!known.decided_at) known.decided_at = schedule_.now();
    }
}

// ---- what is ----

bool VipJudge::is_awake(std::size_t node) const {
    return !nodes_[node]->silent_since();
}

bool VipJudge::is_found(std::size_t node, std::size_t vip) const {
    return nodes_[node]->vips_host().kernel.is_found(vip, nodes_[node]->local());
}

// Who has not decided anything yet hears who is there, from when it can, and has not slept, on.
bool VipJudge::may_listen(std::size_t node, std::size_t vip) const {
    const NodeVipsHost& host = nodes_[node]->vips_host();
    const Time from = std::max(nodes_[node]->awake_since(), host.hears_since);
    const bool ought_to_end = schedule_.now() - from > plan_.listen() + control_knows;
    return !of(node, vip).decided_at && (!host.hears || !ought_to_end);
}

bool VipJudge::is_eligible(std::size_t node, std::size_t vip) const {
    const Node& it = *nodes_[node];
    if (!is_awake(node) || it.is_leaving() || may_listen(node, vip)) return false;
    const NodeVipsHost& host = it.vips_host();
    // Who could not take it says for a while that it cannot.
    // Of a newer release nobody knows what it has: who does not understand it keeps away.
    if (plan_.newer && !it.is_newer() && is_awake(*plan_.newer)) return false;
    const bool well =
        host.hands.is_well() && schedule_.now() - host.hands.well_since >
                                    Time(sync::failed_time) + Time(sync::longest_taking);
    return well && host.kernel.carrier(vip) && host.kernel.is_attached() &&
           (!plan_.witness || host.kernel.sees_witness());
}

void VipJudge::look(std::size_t vip) {
    const Time now = schedule_.now();
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        OfNode& it = of(node, vip);
        if (!is_eligible(node, vip))
            it.eligible_since.reset();
        else if (!it.eligible_since)
            it.eligible_since = now;
        if (!is_found(node, vip))
            it.found_since.reset();
        else if (!it.found_since)
            it.found_since = now;
    }
}

void VipJudge::judge() {
    for (std::size_t vip = 0; vip < plan_.vips; ++vip) {
        look(vip);
        bool found = false;
        for (std::size_t one = 0; one < nodes_.size(); ++one) {
            if (plan_.witness) judge_cut_off(vip, one);
            found = found || of(one, vip).found_since;
            for (std::size_t other = one + 1; other < nodes_.size(); ++other)
                judge_both(vip, one, other);
        }
        judge_announced(vip);
        if (!found) judge_none(vip);
    }
}

// ---- none ----

bool VipJudge::one_way_somewhere() const {
    for (std::size_t one = 0; one < nodes_.size(); ++one)
        for (std::size_t other = 0; other < nodes_.size(); ++other)
            for (std::size_t path = 0; path < plan_.paths && one != other; ++path)
                if (!paths_.way(one, other, path).carries_heartbeats()) return true;
    return false;
}

bool VipJudge::only_streams_somewhere() const {
    for (std::size_t one = 0; one < nodes_.size(); ++one)
        for (std::size_t other = 0; other < nodes_.size(); ++other)
            for (std::size_t path = 0; path < plan_.paths && one != other; ++path)
                if (paths_.way(one, other, path).no_heartbeats) return true;
    return false;
}

// A question waits for what the socket has taken before it.
bool VipJudge::streams_are_slow() const {
    return static_cast<double>(plan_.most_unsent) / plan_.bytes_a_microsecond > 3000;
}

// Where somebody can have it somebody has it: after dead_after + 1 intervals
// (and what answers were measured to take), and what hands and mail take. Not
// while heartbeats get lost: then nobody can say who lives.
void VipJudge::judge_none(std::size_t vip) const {
    if (disturbed_) return;
    const Time now = schedule_.now();
    std::optional<Time> since;
    // Who has it does not know that its hands hang, until its lease has run out; and each whose
    // hands hang tries to take it for a while.
    Time unwell(0), hands_known(0);
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        if (obeys(node)) continue;
        unwell += Time(sync::longest_taking) + plan_.interval;
        const Time known = nodes_[node]->vips_host().hands.well_since + Time(sync::vip_lease);
        hands_known = std::max(hands_known, known);
    }
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
        const auto& eligible = of(node, vip).eligible_since;
        if (eligible && (!since || *eligible < *since)) since = eligible;
    }
    if (!since) return;
    Time bound = judge_.dead_within() + plan_.interval / 2 + 20ms + hands_and_mail;
    // Who waits for one that comes first, and does not take it, waits so long.
    if (nodes_.size() > 2 && one_way_somewhere())
        bound += Time(sync::longest_taking) + plan_.interval * (plan_.dead_after + 1);
    // What is said by streams alone is heard when that is asked for the next time.
    if (only_streams_somewhere())
        bound += 3 * plan_.interval + (streams_are_slow() ? Time(1s) : hands_and_mail);
    bound += unwell;
    const Time from = std::max({*since + control_knows, calm_from_, hands_known});
    if (now - from > bound)
        throw Violation("nobody has " + vip_name(vip) + ", though somebody can since " +
                        ms(now - *since) + ", and nothing happened for " + ms(now - last_event_));
}

// ---- takings ----

void VipJudge::judge_taking(std::size_t node, std::size_t vip, sync::Epoch epoch) {
    OfNode& it = of(node, vip);
    ++takings_;
    if (epoch <= it.epoch)
        throw Violation(Node::name(node) + " takes " + vip_name(vip) + " with epoch " +
                        std::to_string(epoch) + " after " + std::to_string(it.epoch));
    judge_listened(node, vip);
    it.epoch = epoch;
    it.ordered = schedule_.now();
    // The one that has it, where several do (some of them do not hear each
    // other).
    std::size_t holder = node;
    for (std::size_t other = 0; other < nodes_.size(); ++other) {
        const sync::VipClaim& said = of(other, vip).said;
        if (other == node || !is_awake(other) || !sync::has_it(said.role)) continue;
        if (holder == node || said.epoch > of(holder, vip).said.epoch) holder = other;
    }
    if (holder != node && of(holder, vip).said.role == VipRole::holding)
        judge_taking_from(node, vip, holder);
}

// From a holder that lives and does not offer it only who is in step takes it,
// and what the operator has moved only by the operator's word.
void VipJudge::judge_taking_from(std::size_t node, std::size_t vip, std::size_t holder) const {
    const Time now = schedule_.now();
    // They know each other, and that it has it.
    const Time joined = judge_.clean_since(node, holder);
    if (joined > now - plan_.interval * (plan_.dead_after + 4)) return;
    if (now - of(holder, vip).ordered < 2 * plan_.interval + hands_and_mail) return;
    // It has just taken an offer back.
    if (now - of(holder, vip).offered < 2 * plan_.interval) return;
    const bool asked = now - of(node, vip).asked <= Time(sync::offer_time) + 1ms;
    const std::string what =
        Node::name(node) + " takes " + vip_name(vip) + " from " + Node::name(holder);
    if (of(holder, vip).said.moved && !asked)
        throw Violation(what + ", which has it by the operator's word");
    if (judge_.has_no_stream(node, holder, 2 * control_knows))
        throw Violation(what + " without a stream to be in step by");
    // What it knows of being in step is a little old. (Where a stream stalls the other end may
    // know better, until it is given up.)
    if (plan_.room < plan_.flows || judge_.was_apart_lately(2 * control_knows)) return;
    // Its control thread hears of it a little later.
    if (now - nodes_[node]->in_step_at() <= control_knows) return;
    if (!nodes_[node]->is_in_step_with(holder)) throw Violation(what + " and is not in step");
}

// ---- in the end ----

std::string VipJudge::best(std::size_t vip) const {
    std::size_t best = 0;
    for (std::size_t node = 1; node < nodes_.size(); ++node)
        if (nodes_[node]->vips_host().priorities[vip] > nodes_[best]->vips_host().priorities[vip])
            best = node;
    return Node::name(best);
}

// Until the word of who took a VIP has reached the others, one of them may take it just as rightly:
// a node that becomes ready comes before one that is only fit, as it was when it spoke last.
std::string VipJudge::on_its_way() const {
    for (std::size_t vip = 0; vip < plan_.vips; ++vip)
        for (std::size_t node = 0; node < nodes_.size(); ++node)
            if (of(node, vip).held && schedule_.now() - of(node, vip).ordered <= reaction())
                return vip_name(vip) + " was taken by " + Node::name(node) + " just now";
    return {};
}

std::string VipJudge::still_apart() const {
    const Time now = schedule_.now();
    for (std::size_t vip = 0; vip < plan_.vips; ++vip) {
        for (std::size_t node = 0; node < nodes_.size(); ++node)
            if (now - of(node, vip).asked < Time(sync::offer_time + sync::longest_taking))
                return vip_name(vip) + " was moved by the operator just now";
        std::string found;
        std::size_t holder = 0;
        for (std::size_t node = 0; node < nodes_.size(); ++node) {
            if (!is_found(node, vip)) continue;
            if (!found.empty())
                return vip_name(vip) + " is at " + found + " and at " + Node::name(node);
            found = Node::name(node);
            holder = node;
        }
        for (const auto& node : nodes_)
            if (!node->vips_host().kernel.is_attached()) return "a program is detached";
        if (found.empty()) return vip_name(vip) + " is nowhere";
        const sync::VipClaim& said = of(holder, vip).said;
        if (said.role != VipRole::holding)
            return found + " has " + vip_name(vip) + " and says " + name_of(said.role);
        if (announced_[vip] != holder)
            return vip_name(vip) + " is at " + found + ", and " + Node::name(announced_[vip]) +
                   " announced it last";
        const std::uint32_t priority = nodes_[holder]->vips_host().priorities[vip];
        for (std::size_t node = 0; node < nodes_.size(); ++node)
            if (plan_.failback && !plan_.newer && !said.moved && plan_.room >= plan_.flows &&
                nodes_[node]->vips_host().priorities[vip] > priority)
                return vip_name(vip) + " is at " + found + " and not at " + best(vip);
    }
    return {};
}

}  // namespace bascule::sim
