// SPDX-License-Identifier: Apache-2.0
// Of two that are found by a VIP at the same time: for how long they may be, by what joins them.
#include <algorithm>

#include "sim/vip_judge.h"

namespace bascule::sim {
namespace {

std::string ms(Time time) {
    return std::to_string(time / 1ms) + " ms";
}

}  // namespace

void VipJudge::judge_both(std::size_t vip, std::size_t one, std::size_t other) {
    Pair& pair = pairs_[(vip * nodes_.size() + one) * nodes_.size() + other];
    if (!of(one, vip).found_since || !of(other, vip).found_since) {
        if (pair.both_since) note_demotion(vip, one, other);
        return pair.both_since.reset();
    }
    const bool begins = !pair.both_since;
    if (begins) pair = {schedule_.now(), true, true};
    // Only who does so from then on: what is promised later ends by an announcement that is later.
    pair.one_yields = pair.one_yields && yields(one, vip);
    pair.other_yields = pair.other_yields && yields(other, vip);
    if (pair.one_yields) judge_parted(vip, one, other, *pair.both_since);
    if (pair.other_yields) judge_parted(vip, other, one, *pair.both_since);
    if (is_awake(one) && is_awake(other)) {
        judge_both_speaking(vip, one, other, *pair.both_since);
        judge_both_by_stream(vip, one, other, *pair.both_since);
        return judge_both_by_third(vip, one, other, *pair.both_since);
    }
    // Of two that are silent neither has replaced the other.
    if (!begins || (!is_awake(one) && !is_awake(other))) return;
    if (!is_awake(one)) judge_silent(vip, one, other);
    if (!is_awake(other)) judge_silent(vip, other, one);
}

void VipJudge::note_demotion(std::size_t vip, std::size_t one, std::size_t other) {
    demotions_[vip].reset();
    const bool joined = judge_.clean_since(one, other) < schedule_.now();
    const std::size_t winner = of(one, vip).found_since ? one : other;
    if (joined && is_awake(one) && is_awake(other) && of(winner, vip).found_since)
        demotions_[vip] = {schedule_.now(), winner, winner == one ? other : one};
}

// After two were found, the one that still is announces it last, as soon as it has heard that the
// other has let go.
void VipJudge::judge_announced(std::size_t vip) {
    auto& demotion = demotions_[vip];
    if (!demotion) return;
    const std::size_t winner = demotion->winner;
    const Time bound = plan_.interval + plan_.interval / 4 + 2 * hands_and_mail;
    const bool is_back = of(demotion->loser, vip).ordered >= demotion->at;
    // Who does not understand the other one does not know that it has let go.
    const bool is_trouble = last_event_ > demotion->at || !obeys(winner) || is_back ||
                            is_mixed(winner, demotion->loser) || !of(winner, vip).decided_at;
    if (!of(winner, vip).found_since || is_trouble) return demotion.reset();
    if (schedule_.now() - demotion->at <= bound) return;
    const std::size_t loser = demotion->loser;
    demotion.reset();
    if (announced_[vip] == loser)
        throw Violation(Node::name(winner) + " has " + vip_name(vip) + ", and " +
                        Node::name(loser) + " announced it last, which has let it go");
}

// No longer than until the next heartbeat, while they hear each other; after a
// cut they have to hear each other first, and anew if one has started
// meanwhile. Where one hears the other and is not heard: it waits dead_after
// intervals for that to change.
void VipJudge::judge_both_speaking(std::size_t vip, std::size_t one, std::size_t other,
                                   Time since) const {
    const Time now = schedule_.now();
    const auto complain = [&](Time from, const char* how) {
        complain_of_both(vip, one, other, from, how);
    };
    const Time joined = judge_.clean_since(one, other);
    if (!obeys(one) || !obeys(other)) return;
    // Who left while nobody could take it is found for a while: a restart is not felt.
    const auto known = decided(one, other, vip);
    if (!known) return;
    // What lingers is found where a program is detached, until that is known.
    const Time detached =
        std::max(nodes_[one]->vips_host().detached, nodes_[other]->vips_host().detached);
    // Hands that hung answer what they were told when they are well again.
    const Time well = std::max(nodes_[one]->vips_host().hands.well_since,
                               nodes_[other]->vips_host().hands.well_since);
    const Time from =
        std::max({since, joined + 3 * plan_.interval, detached + control_knows, well, *known});
    // Who is not understood has to let go for want of being heard.
    const bool understood = !is_mixed(one, other);
    if (understood && joined < now && now - from > reaction())
        complain(from, "they hear each other");
    const Time heard = std::min(hears_since(one, other), hears_since(other, one));
    if (heard >= now || disturbed_) return;
    const Time deaf = std::max({since, heard + 3 * plan_.interval, *known});
    const Time patience = judge_.dead_within() + plan_.interval * plan_.dead_after;
    if (now - deaf > patience + reaction()) complain(deaf, "one hears the other");
}

void VipJudge::complain_of_both(std::size_t vip, std::size_t one, std::size_t other, Time from,
                                const std::string& how) const {
    throw Violation(Node::name(one) + " and " + Node::name(other) + " are both found by " +
                    vip_name(vip) + " for " + ms(schedule_.now() - from) + ", though " + how);
}

// From an order on: the hands answer, that is said with the next round at the latest, which may
// come a little late, and arrives.
Time VipJudge::reaction() const {
    return plan_.interval + plan_.interval / 4 + hands_and_mail;
}

bool VipJudge::is_mixed(std::size_t one, std::size_t other) const {
    return plan_.newer && (*plan_.newer == one || *plan_.newer == other);
}

// Heartbeats do not pass, and streams do: what is claimed comes with the answers to questions,
// which are asked each interval, and once in dead_after intervals of who is dead.
void VipJudge::judge_both_by_stream(std::size_t vip, std::size_t one, std::size_t other,
                                    Time since) const {
    if (disturbed_ || streams_are_slow() || is_mixed(one, other)) return;
    if (!obeys(one) || !obeys(other)) return;
    const auto known = decided(one, other, vip);
    const auto joined = judge_.streams_join_since(one, other);
    if (!known || !joined) return;
    const Time from = std::max({since, *joined, *known, last_event_});
    const Time bound =
        plan_.interval * (plan_.dead_after + 3) + 2 * reaction() + judge_.dead_within();
    if (schedule_.now() - from > bound)
        complain_of_both(vip, one, other, from, "a stream joins them");
}

// A third one hears both, and they hear it: it says of whom it hears that he has it.
void VipJudge::judge_both_by_third(std::size_t vip, std::size_t one, std::size_t other,
                                   Time since) const {
    if (disturbed_ || plan_.newer || !obeys(one) || !obeys(other)) return;
    const auto decided_at = decided(one, other, vip);
    if (!decided_at) return;
    for (std::size_t third = 0; third < nodes_.size(); ++third) {
        if (third == one || third == other || !is_awake(third)) continue;
        const bool known =
            knows(third, one) && knows(third, other) && knows(one, third) && knows(other, third);
        const Time joined =
            std::max(judge_.clean_since(third, one), judge_.clean_since(third, other));
        if (!known || joined >= schedule_.now()) continue;
        const Time from = std::max({since, joined + 3 * plan_.interval, *decided_at, last_event_});
        if (schedule_.now() - from > 2 * reaction() + 2 * plan_.interval)
            complain_of_both(vip, one, other, from, Node::name(third) + " hears both");
    }
}

// Since when both know what they are to have, and their hands take away what they are not.
std::optional<Time> VipJudge::decided(std::size_t one, std::size_t other, std::size_t vip) const {
    const auto& first = of(one, vip).decided_at;
    const auto& second = of(other, vip).decided_at;
    if (!first || !second) return std::nullopt;
    return std::max(*first, *second);
}

bool VipJudge::yields(std::size_t node, std::size_t vip) const {
    const VipHost& kernel = nodes_[node]->vips_host().kernel;
    return kernel.yields(vip) && kernel.is_attached();
}

// Who left while nobody could take it is found until somebody does, and announces it: not one that
// has died, or stands still, before its hands did.
void VipJudge::judge_parted(std::size_t vip, std::size_t gone, std::size_t taker,
                            Time since) const {
    if (!yields(gone, vip) || !obeys(taker) || !is_awake(taker)) return;
    if (is_awake(gone) && of(gone, vip).decided_at) return;
    // Both are found since it took, and not for another reason: the carrier of who left may come
    // only after the announcement.
    const Time ordered = of(taker, vip).ordered;
    const bool was_found = of(gone, vip).found_since <= ordered;
    const bool has_taken =
        of(taker, vip).held && was_found && ordered <= since && since - ordered <= hands_and_mail;
    if (has_taken && schedule_.now() - since > hands_and_mail)
        complain_of_both(vip, gone, taker, since, "the first one has left");
}

bool VipJudge::never_heard(std::size_t node, std::size_t other) const {
    return nodes_[node]->membership().liveness(nodes_[node]->index_of(other)) ==
           sync::Liveness::unknown;
}

// Who has started takes nothing before it could have heard who has it.
void VipJudge::judge_listened(std::size_t node, std::size_t vip) const {
    const Time from = std::max(of(node, vip).started, nodes_[node]->vips_host().hears_since);
    if (schedule_.now() - from >= plan_.listen() - 2ms) return;
    for (std::size_t other = 0; other < nodes_.size(); ++other)
        if (other != node && is_awake(other) && of(other, vip).held && is_found(other, vip) &&
            never_heard(node, other))
            throw Violation(Node::name(node) + " takes " + vip_name(vip) + ", which " +
                            Node::name(other) + " has, and could hear for " +
                            ms(schedule_.now() - from));
}

// Its hands do what they are told.
bool VipJudge::obeys(std::size_t node) const {
    const NodeVipsHost& host = nodes_[node]->vips_host();
    return host.hands.is_well() && schedule_.now() - host.hands.well_since > 50ms;
}

bool VipJudge::knows(std::size_t node, std::size_t other) const {
    if (!nodes_[node]->is_running()) return false;
    const auto liveness = nodes_[node]->membership().liveness(nodes_[node]->index_of(other));
    return liveness == sync::Liveness::alive || liveness == sync::Liveness::suspect;
}

// Cleanly, and it counts: who does not hear this node is a stranger, or a
// recording, at first.
Time VipJudge::hears_since(std::size_t node, std::size_t other) const {
    if (!knows(node, other)) return Time::max();
    const sync::PeerView peer = nodes_[node]->peers()[nodes_[node]->index_of(other)];
    const Time known = schedule_.now() - (nodes_[node]->local() - peer.since);
    return std::max(known, judge_.heard_cleanly_since(node, other));
}

// Who is replaced because it is silent is not found any more by then: its
// deadline has passed. A longer one was promised only when nobody was known who
// could take it.
void VipJudge::judge_silent(std::size_t vip, std::size_t silent, std::size_t other) const {
    const Node& node = *nodes_[silent];
    const VipHost& kernel = node.vips_host().kernel;
    const Time fell_silent = *node.silent_since();
    const bool heard_before = judge_.heard_before(other, silent, fell_silent);
    if (!kernel.is_attached() || !heard_before || of(other, vip).ordered <= fell_silent) return;
    // It takes it for other reasons.
    if (knows(other, silent)) return;
    if (kernel.promise(vip) > plan_.interval * plan_.dead_after) return;
    throw Violation(Node::name(other) + " is found by " + vip_name(vip) + ", and " +
                    Node::name(silent) + " is still found, which is silent for " +
                    ms(schedule_.now() - fell_silent));
}

// Who sees no witness and hears nobody gives up what it has.
void VipJudge::judge_cut_off(std::size_t vip, std::size_t node) const {
    const Node& it = *nodes_[node];
    const auto& host = it.vips_host();
    if (!of(node, vip).found_since || !is_awake(node) || host.kernel.sees_witness()) return;
    if (it.is_leaving() || disturbed_) return;
    Time since = std::max(host.blind_since, it.awake_since() + 4 * plan_.interval);
    for (std::size_t other = 0; other < nodes_.size(); ++other)
        if (other != node) since = std::max(since, judge_.silent_since(node, other));
    const Time now = schedule_.now();
    const Time bound = judge_.dead_within() + control_knows + hands_and_mail;
    if (since < now && now - std::max(since, calm_from_) > bound)
        throw Violation(Node::name(node) + " has " + vip_name(vip) +
                        ", sees no witness and hears nobody for " + ms(now - since));
}

}  // namespace bascule::sim
