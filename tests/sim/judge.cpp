// SPDX-License-Identifier: Apache-2.0
#include "sim/judge.h"

#include <algorithm>

namespace bascule::sim {
namespace {

using sync::Liveness;
using State = sync::StoredSession::State;

// Heartbeats and answers that were on their way, at most.
constexpr Time underway_most = 700ms;
// A turn to refresh comes with a pass over the table, and then goes by the log.
constexpr Time refresh_uncertain = 2s;

std::string ms(Time time) {
    return std::to_string(time / 1ms) + " ms";
}

bool is_live(Liveness liveness) {
    return liveness == Liveness::alive || liveness == Liveness::suspect;
}

}  // namespace

Judge::Judge(const Plan& plan, const Schedule& schedule, const Paths& paths, const Streams& streams,
             const Truth& truth, const Nodes& nodes)
    : plan_(plan),
      schedule_(schedule),
      paths_(paths),
      streams_(streams),
      truth_(truth),
      nodes_(nodes),
      compared_(plan.nodes * plan.nodes) {}

void Judge::judge() {
    for (std::size_t one = 0; one < nodes_.size(); ++one) {
        if (!nodes_[one]->is_running()) continue;
        judge_bounds(*nodes_[one]);
        for (std::size_t other = 0; other < nodes_.size(); ++other) {
            if (other == one) continue;
            judge_liveness(one, other);
            if (other > one) judge_synced(one, other);
        }
    }
}

void Judge::judge_bounds(const Node& node) const {
    const std::size_t kept = node.replica().bytes_kept();
    if (kept > plan_.log_bytes)
        throw Violation("the log has " + std::to_string(kept) + " bytes, at most " +
                        std::to_string(plan_.log_bytes));
    if (node.words().items().size() > 100) throw Violation("the shared map grows");
}

// ---- who is alive ----

Time Judge::heard_cleanly_since(std::size_t judging, std::size_t judged) const {
    Time since = Time::max();
    for (std::size_t path = 0; path < plan_.paths; ++path) {
        const Way& way = paths_.way(judged, judging, path);
        if (way.is_clean(plan_.interval)) since = std::min(since, way.clean_since);
    }
    return std::max({since, nodes_[judging]->awake_since(), nodes_[judged]->awake_since()});
}

Time Judge::clean_since(std::size_t judging, std::size_t judged) const {
    Time since = Time::max();
    for (std::size_t path = 0; path < plan_.paths; ++path) {
        const Way& there = paths_.way(judging, judged, path);
        const Way& back = paths_.way(judged, judging, path);
        if (there.is_clean(plan_.interval) && back.is_clean(plan_.interval))
            since = std::min(since, std::max(there.clean_since, back.clean_since));
    }
    return std::max({since, nodes_[judging]->awake_since(), nodes_[judged]->awake_since()});
}

Time Judge::silent_since(std::size_t judging, std::size_t judged) const {
    Time since = Time(0);
    for (std::size_t path = 0; path < plan_.paths; ++path)
        since = std::max(since, paths_.way(judged, judging, path).quiet_since);
    return std::min(since, nodes_[judged]->silent_since().value_or(Time::max()));
}

bool Judge::heard_before(std::size_t judging, std::size_t judged, Time silent) const {
    const Time known = plan_.interval * (plan_.dead_after + 4);
    for (std::size_t path = 0; path < plan_.paths; ++path) {
        const Way& way = paths_.way(judged, judging, path);
        if (way.is_clean(plan_.interval) && way.clean_since + known <= silent)
            return nodes_[judging]->awake_since() + known <= silent;
    }
    return false;
}

void Judge::judge_liveness(std::size_t judging, std::size_t judged) const {
    const Node& node = *nodes_[judging];
    const Time now = schedule_.now();
    if (node.awake_since() > now) return;
    const Liveness liveness = node.membership().liveness(node.index_of(judged));
    const auto complain = [&](Time since, const char* what) {
        throw Violation(Node::name(judging) + " holds " + Node::name(judged) + " for " +
                        name_of(liveness) + ", which " + what + " for " + ms(now - since));
    };
    if (liveness != Liveness::alive && nodes_[judged]->is_running()) {
        const Time clean = clean_since(judging, judged);
        if (clean < now && now - clean > plan_.interval * (plan_.dead_after + 8))
            complain(clean, "is there and reachable");
    }
    if (!is_live(liveness)) return;
    const Time silent = silent_since(judging, judged);
    if (silent >= now) return;
    const Time from = std::max(silent, node.awake_since() + 4 * plan_.interval);
    if (now - from > dead_within()) complain(silent, "is silent");
}

// After the last heartbeat, as sync/peer_life.h says: half an interval less
// than dead_after, and the last round, which is as long as answers were
// measured to take, at most dead_after intervals. Who has slept judges a round
// later: see above. What a stream answered may have been under way when its
// sender fell silent: the round in which it comes is followed by another one,
// both as long as its answers take.
Time Judge::dead_within() const {
    const Time silence = plan_.interval * plan_.dead_after - plan_.interval / 2;
    const Time longest = plan_.interval * plan_.dead_after;
    const bool answered = answered_ && schedule_.now() - *answered_ <= 4 * longest + 1s;
    const Time round = answered        ? longest + plan_.interval
                       : slow_answers_ ? longest
                                       : plan_.interval;
    // A tick may come a sixteenth of an interval late.
    return silence + round + plan_.interval / 8 + 5ms + (delayed_ ? underway_most : Time(0));
}

void Judge::on_change(std::size_t node, const sync::MembershipChange& change) const {
    if (change.to != Liveness::dead) return;
    const std::size_t judged = nodes_[node]->node_of(change.peer);
    if (!nodes_[judged]->is_running()) return;
    const Time clean = heard_cleanly_since(node, judged);
    if (clean < schedule_.now() &&
        schedule_.now() - clean > plan_.interval * (plan_.dead_after + 2))
        throw Violation(Node::name(node) + " finds " + Node::name(judged) +
                        " dead, whose heartbeats come (" + change.why + ")");
}

// ---- what is in step ----

// Nothing has happened for so long that what was on its way is there, and that
// both sides have compared what they may have decided otherwise, since the last
// change of a table (docs/adr/0010; sync/replica_peer.cpp has the times). Where
// only the later name knows of it, that one asks 1.2 s after it, and its records
// are supplied half a second later. The earlier one, which decides, may refuse
// them; then it asks itself, 0.2 s after that, and not within a second of its
// own last asking, which was at 1 s at the latest: so at 2.0 s. That settles in
// half a second, too. The rest is for walks, ticks and ways.
bool Judge::is_calm() const {
    const Time decided = 1200ms + 500ms + 300ms + 500ms + 300ms;
    const Time needed = plan_.nodes == 2 ? decided : 2 * plan_.audit_interval + decided;
    const Time now = schedule_.now();
    if (now - troubled_ < needed || now - streams_.changed() < needed) return false;
    return std::ranges::all_of(nodes_, [&](const auto& node) {
        return node->is_running() && node->awake_since() <= now - needed &&
               now - node->table().changed() >= needed;
    });
}

void Judge::judge_synced(std::size_t one, std::size_t other) {
    if (!nodes_[other]->is_running()) return;
    const std::uint64_t versions =
        nodes_[one]->table().version() + nodes_[other]->table().version();
    std::uint64_t& compared = compared_[one * plan_.nodes + other];
    // What has no room is counted, and not in step.
    if (compared == versions || plan_.room < plan_.flows || !is_calm()) return;
    if (!nodes_[one]->replica().synced() || !nodes_[other]->replica().synced()) return;
    if (!streams_.is_up(one, other) || !streams_.is_up(other, one)) return;
    compared = versions;
    if (const std::string apart = tables_differ(one, other); !apart.empty())
        throw Violation(Node::name(one) + " and " + Node::name(other) +
                        " say that they are in step: " + apart);
}

bool Judge::near_its_end(std::size_t flow) const {
    const auto last = truth_.last_packet(flow);
    if (!last) return false;
    const Time silent = schedule_.now() - *last;
    return silent > std::chrono::seconds(plan_.limit) - 5s;
}

// The owner's next turn to refresh brings it back: a copy whose flow was
// silent, or not told of, for three quarters of its limit may be idle here
// before that (docs/adr/0010).
bool Judge::lapsed_lately(std::size_t node, std::size_t flow) const {
    const std::optional<Time>& lapsed = nodes_[node]->table().lapsed(flow);
    const Time turn = std::chrono::seconds(plan_.limit) / 4 + refresh_uncertain;
    return lapsed && schedule_.now() - *lapsed < turn;
}

std::string Judge::tables_differ(std::size_t one, std::size_t other) const {
    const Table& first = nodes_[one]->table();
    const Table& second = nodes_[other]->table();
    const auto target = [&](const Table& table, std::size_t flow) -> sync::TargetId {
        const Table::Slot& slot = table.at(flow);
        if (!slot || slot->state != State::established) return 0;
        const bool common =
            first.known().contains(slot->target) && second.known().contains(slot->target);
        return common ? slot->target : 0;
    };
    for (std::size_t flow = 0; flow < truth_.flows(); ++flow) {
        if (target(first, flow) == target(second, flow) || near_its_end(flow)) continue;
        if (lapsed_lately(one, flow) || lapsed_lately(other, flow)) continue;
        return "flow " + std::to_string(flow) + " has target " +
               std::to_string(target(first, flow)) + " at " + Node::name(one) + " and " +
               std::to_string(target(second, flow)) + " at " + Node::name(other);
    }
    return {};
}

// A batch that comes late, by a slow stream, or a round's answer, parts tables that were equal
// meanwhile: it brings what its sender has given up since, by the word of another that came before.
// The copies that it makes are mended by audits with an owner (with three nodes or more, by nothing
// else), and one that is not mended yet may be given, until it is, to a node that comes later by
// name and was. So the time from which tables stay equal begins when all have all.
std::string Judge::on_its_way() const {
    if (plan_.room < plan_.flows) return {};
    for (std::size_t node = 0; node < nodes_.size(); ++node)
        if (nodes_[node]->replica().bytes_kept() > 0)
            return "what " + Node::name(node) + " has told is not acknowledged by all";
    if (streams_.carries_records()) return "what a round tells of is on its way";
    return {};
}

std::string Judge::still_apart() const {
    const bool roomy = plan_.room >= plan_.flows;
    for (std::size_t one = 0; one < nodes_.size(); ++one) {
        const Node& node = *nodes_[one];
        if (node.silent_since()) return Node::name(one) + " does not run, or stands still";
        for (const sync::PeerView& peer : node.peers())
            if (peer.liveness != Liveness::alive || !peer.hears_us)
                return Node::name(one) + " holds " + peer.name + " for " + name_of(peer.liveness);
        for (std::size_t other = 0; other < nodes_.size(); ++other)
            if (other != one && !streams_.is_up(one, other))
                return Node::name(one) + " has no stream with " + Node::name(other);
        if (node.words().digest() != nodes_[0]->words().digest())
            return "the words of " + Node::name(one) + " are not those of " + Node::name(0);
        if (!roomy) continue;
        if (!node.replica().synced()) {
            for (const sync::ReplicaPeerView& peer : node.replica_peers())
                if (!peer.synced)
                    return Node::name(one) + " is not in step with " + peer.name + ": " +
                           peer.behind;
            return Node::name(one) + " is not in step";
        }
        for (std::size_t other = one + 1; other < nodes_.size(); ++other)
            if (std::string apart = tables_differ(one, other); !apart.empty()) return apart;
    }
    return {};
}

}  // namespace bascule::sim
