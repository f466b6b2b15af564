// SPDX-License-Identifier: Apache-2.0
// What is heard, when it is judged, and what is said. What is known of it: membership_view.cpp.
#include <algorithm>
#include <stdexcept>

#include "sync/membership_impl.h"

namespace bascule::sync {
namespace {

using std::chrono::milliseconds;

// What an echo may be old and still prove that its sender is of now; what a heartbeat may take.
constexpr Nanoseconds lately_least = std::chrono::seconds(2);

std::string in_milliseconds(Nanoseconds span) {
    return std::to_string(std::chrono::round<milliseconds>(span).count()) + " ms";
}

std::string counted(std::size_t count, const char* noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace

Membership::Impl::Impl(MembershipOptions asked, Moment now)
    : options(std::move(asked)),
      lately(std::max<Nanoseconds>(lately_least, 4 * silence_allowed())),
      next_round(now),
      may_speak(now),
      expected_tick(now) {
    if (options.incarnation == 0 || options.paths == 0 || options.dead_after < 2 ||
        options.interval <= Nanoseconds(0))
        throw std::invalid_argument("membership: options that make no sense");
    facts.release = options.release;
    for (const std::string& name : options.peers) {
        peers.push_back({.name = name,
                         .life = PeerLife(options.interval, options.dead_after, now),
                         .freshness = Freshness(lately),
                         .paths = std::vector<PeerPath>(options.paths + (options.wire ? 1 : 0))});
    }
}

bool Membership::Impl::lives(const Peer& peer) const {
    const Liveness liveness = peer.life.liveness();
    return liveness == Liveness::alive || liveness == Liveness::suspect;
}

// ---- in ----

void Membership::Impl::hear(Peer& peer, std::size_t index, std::size_t path_index,
                            const Heartbeat& heartbeat, const Echo* proof, bool late, Moment now,
                            WallMilliseconds wall, MembershipOutput& out) {
    PeerPath& path = peer.paths[path_index];
    path.heard(heartbeat, now, late);
    if (proof != nullptr)
        path.echoed(*proof, now, !late && from_wire(proof->sent) >= measure_after);
    take_words(peer, heartbeat, path.round_trip().smoothed() / 2, now, wall);
    const Liveness before = peer.life.liveness();
    const Nanoseconds silent = now - peer.life.last_heard();
    if (peer.life.heard(now)) {
        const std::string by = path_index == options.paths
                                   ? "heartbeats on the link of a VIP"
                                   : "heartbeats by path " + std::to_string(path_index + 1);
        const bool first = before == Liveness::unknown;
        out.changes.push_back({.peer = index,
                               .from = before,
                               .to = Liveness::alive,
                               .why = first ? by : by + ", after " + in_milliseconds(silent)});
    }
    if (heartbeat.probe && path.may_answer()) send(index, path_index, now, wall, out);
}

// `way`: how long it takes at least.
void Membership::Impl::take_words(Peer& peer, const Heartbeat& heartbeat, Nanoseconds way,
                                  Moment now, WallMilliseconds wall) {
    peer.said.hear(heartbeat, options.version, peer.freshness.delayed(heartbeat.sent, now), way,
                   now, wall);
    // A place among other names may be another node's.
    if (heartbeat.facts.config_hash != facts.config_hash)
        for (VipClaim& claim : peer.said.claims)
            claim.holder = 0;
}

// Another incarnation counts from now on.
void Membership::Impl::begin(Peer& peer, Incarnation incarnation) {
    for (PeerPath& path : peer.paths)
        path.adopt(incarnation);
    peer.said.begin();
}

MembershipOutput Membership::on_heartbeat(std::size_t index, std::size_t path_index,
                                          const Heartbeat& heartbeat, Moment now,
                                          WallMilliseconds wall) {
    MembershipOutput out;
    MembershipPeer& peer = impl_->peers.at(index);
    PeerPath& path = peer.paths.at(path_index);
    if (heartbeat.path != impl_->name_of_path(path_index)) {
        path.refuse_replayed();
        return out;
    }
    const Echo* proof = path.proof(heartbeat, impl_->options.incarnation, now - impl_->lately, now);
    const Freshness::Proof proven =
        proof != nullptr ? Freshness::Proof(from_wire(proof->sent)) : std::nullopt;
    // It has waited in our socket, nobody knows how long.
    const bool late = impl_->oversleep(now) > Nanoseconds(0);
    const auto verdict = peer.freshness.judge(heartbeat.incarnation, heartbeat.sent, proven,
                                              impl_->most_delay(peer), now);
    switch (verdict) {
        case Freshness::Verdict::unproven:
            ++peer.unverified;
            if (heartbeat.incarnation != 0) path.heard_unproven(heartbeat, now, late);
            return out;
        case Freshness::Verdict::over:
            path.refuse_replayed();
            return out;
        case Freshness::Verdict::late:
            path.refuse_late();
            return out;
        case Freshness::Verdict::begins:
        case Freshness::Verdict::counts:
            break;
    }
    const bool begins = verdict == Freshness::Verdict::begins;
    const bool restarted = begins && peer.freshness.current() != 0;
    if (begins) impl_->begin(peer, heartbeat.incarnation);
    if (!path.take(heartbeat.sequence)) {
        path.refuse_replayed();
        return out;
    }
    out.counted = true;
    peer.freshness.accept(heartbeat.incarnation, heartbeat.sent, proven, now);
    impl_->hear(peer, index, path_index, heartbeat, proof, late, now, wall, out);
    if (!restarted) return out;
    if (out.changes.empty())
        out.changes.push_back(
            {.peer = index, .from = Liveness::alive, .to = Liveness::alive, .why = {}});
    out.changes.back().restarted = true;
    out.changes.back().why = "it was started anew";
    return out;
}

// What tells of a time before the peer died does not bring it back.
Nanoseconds Membership::Impl::most_delay(const Peer& peer) const {
    return peer.life.liveness() == Liveness::dead ? silence_allowed() : lately;
}

void Membership::Impl::measure_stream(Peer& peer, Moment asked, Moment now) {
    peer.stream_answered = now;
    if (asked >= measure_after && oversleep(now) == Nanoseconds(0))
        peer.stream.add(now - asked, now);
}

// TLS vouches for who speaks and for its order; that it was asked for a moment ago makes it fresh.
MembershipOutput Membership::on_stream_answer(std::size_t index,
                                              const std::optional<Heartbeat>& said, Moment asked,
                                              Moment now, WallMilliseconds wall) {
    MembershipOutput out;
    MembershipPeer& peer = impl_->peers.at(index);
    const bool lives = impl_->lives(peer);
    if (!said) {
        if (!lives) return out;
        impl_->measure_stream(peer, asked, now);
        peer.life.answered(now);
        return out;
    }
    if (said->node != peer.name || said->to != impl_->options.self) return out;
    // Not who goes, nor by what has waited for as long as a silence that tells of a death.
    const bool old = said->facts.leaving || now - asked > impl_->silence_allowed();
    if (!lives && old) return out;
    const auto verdict =
        peer.freshness.judge(said->incarnation, said->sent, asked, impl_->lately, now);
    const bool begins = verdict == Freshness::Verdict::begins;
    if (!begins && verdict != Freshness::Verdict::counts) return out;
    const bool restarted = begins && peer.freshness.current() != 0;
    if (begins) impl_->begin(peer, said->incarnation);
    out.counted = true;
    impl_->measure_stream(peer, asked, now);
    peer.freshness.accept(said->incarnation, said->sent, asked, now);
    impl_->take_words(peer, *said, Nanoseconds(0), now, wall);
    const Liveness before = peer.life.liveness();
    const bool revived = peer.life.answered(now);
    if (revived || restarted)
        out.changes.push_back(
            {.peer = index,
             .from = before,
             .to = peer.life.liveness(),
             .restarted = restarted,
             .why = restarted ? "it was started anew" : "it answers by its stream"});
    return out;
}

Heartbeat Membership::for_stream(std::size_t index, Moment now, WallMilliseconds wall) const {
    Heartbeat heartbeat = impl_->words_for(impl_->peers.at(index), wall);
    heartbeat.sent = to_wire(std::max(impl_->stamp, now));
    return heartbeat;
}

// ---- time ----

Nanoseconds Membership::Impl::oversleep(Moment now) const {
    const Nanoseconds late = now - expected_tick;
    return late >= options.interval ? late : Nanoseconds(0);
}

// How long answers take by the paths that it was heard on lately: by any of them one may come. Who
// is suspect and has answered by its stream is waited for as long as that takes.
Nanoseconds Membership::Impl::patience(const Peer& peer) const {
    const Moment heard = peer.life.last_heard();
    const bool suspect = peer.life.liveness() == Liveness::suspect;
    if (suspect && peer.stream_answered >= peer.life.since()) return peer.stream.patience();
    Nanoseconds least = Nanoseconds::max();
    for (const PeerPath& path : peer.paths) {
        const bool lived = path.heard_since(heard - silence_allowed());
        if (lived) least = std::min(least, path.round_trip().patience());
    }
    return least == Nanoseconds::max() ? Nanoseconds(0) : least;
}

void Membership::Impl::judge(std::size_t index, bool slept, Moment now, WallMilliseconds wall,
                             MembershipOutput& out) {
    Peer& peer = peers[index];
    const Liveness before = peer.life.liveness();
    const PeerLife::Step step = peer.life.tick(now, slept, patience(peer), peer.said.facts.leaving);
    if (step.changed) {
        const Liveness after = peer.life.liveness();
        std::string why = "no heartbeat on " + counted(options.paths, "path") + " for " +
                          in_milliseconds(now - peer.life.last_heard());
        if (after == Liveness::dead && before == Liveness::alive)
            why = "it said that it leaves, and is silent";
        else if (after == Liveness::dead)
            why += ", and " + counted(peer.life.probes(), "probe") + " by each were not answered";
        out.changes.push_back({.peer = index, .from = before, .to = after, .why = std::move(why)});
    }
    if (step.ask_stream) out.probe_streams.push_back(index);
    if (step.probe) send_everywhere(index, now, wall, out);
}

MembershipOutput Membership::on_tick(Moment now, WallMilliseconds wall) {
    MembershipOutput out;
    out.slept = impl_->oversleep(now);
    const bool slept = out.slept > Nanoseconds(0);
    if (slept) impl_->measure_after = now;
    for (std::size_t peer = 0; peer < impl_->peers.size(); ++peer)
        impl_->judge(peer, slept, now, wall, out);
    if (now >= impl_->next_round) {
        for (MembershipPeer& peer : impl_->peers)
            for (PeerPath& path : peer.paths)
                path.allow_answers(2 * PeerLife::probes_a_round);
        impl_->send_round(now, wall, out);
        // Rounds that were missed are not made up for.
        impl_->next_round =
            std::max(impl_->next_round, now - impl_->options.interval) + impl_->options.interval;
        if (impl_->next_round <= now) impl_->next_round = now + impl_->options.interval;
    } else if (impl_->speak_later && now >= impl_->may_speak) {
        impl_->speak(now, wall, out);
    }
    impl_->expected_tick = std::max(impl_->next_tick(), now);
    return out;
}

Moment Membership::Impl::next_tick() const {
    Moment next = speak_later ? std::min(next_round, may_speak) : next_round;
    for (const Peer& peer : peers)
        next = std::min(next, peer.life.next());
    return next;
}

Moment Membership::next_tick() const {
    return impl_->next_tick();
}

Nanoseconds Membership::overslept(Moment now) const {
    return impl_->oversleep(now);
}

// ---- out ----

void Membership::Impl::send(std::size_t index, std::size_t path, Moment now, WallMilliseconds wall,
                            MembershipOutput& out) {
    Peer& peer = peers[index];
    HeartbeatToSend to{.peer = index, .path = path, .heartbeat = words_for(peer, wall)};
    Heartbeat& heartbeat = to.heartbeat;
    heartbeat.path = name_of_path(path);
    heartbeat.sequence = peer.paths[path].next_sequence();
    stamp = std::max(stamp, now);
    heartbeat.sent = to_wire(stamp);
    heartbeat.echoes = peer.paths[path].echoes(now - lately, now);
    heartbeat.probe = peer.life.liveness() == Liveness::suspect;
    out.send.push_back(std::move(to));
}

// What is the same by whichever way it goes.
Heartbeat Membership::Impl::words_for(const Peer& peer, WallMilliseconds wall) const {
    Heartbeat heartbeat;
    heartbeat.version = options.version;
    heartbeat.needs = options.needs;
    heartbeat.node = options.self;
    heartbeat.to = peer.name;
    heartbeat.incarnation = options.incarnation;
    heartbeat.wall = wall;
    heartbeat.hears = lives(peer);
    heartbeat.facts = facts;
    heartbeat.claims = claims;
    return heartbeat;
}

void Membership::Impl::send_everywhere(std::size_t index, Moment now, WallMilliseconds wall,
                                       MembershipOutput& out) {
    for (std::size_t path = 0; path < options.paths; ++path)
        send(index, path, now, wall, out);
    if (uses_wire(peers[index], now)) send(index, options.paths, now, wall, out);
}

// In turn or out of it: it says what is, so nothing is left to be said.
void Membership::Impl::send_round(Moment now, WallMilliseconds wall, MembershipOutput& out) {
    for (std::size_t peer = 0; peer < peers.size(); ++peer)
        send_everywhere(peer, now, wall, out);
    out.round = true;
    speak_later = false;
}

// What changes all the time is said four times as often as rounds come, and not more. The numbers
// of these go on like all others, so that none of them is missed or missing at the peer; rounds
// stay where they are.
void Membership::Impl::speak(Moment now, WallMilliseconds wall, MembershipOutput& out) {
    may_speak = now + options.interval / 4;
    send_round(now, wall, out);
}

MembershipOutput Membership::speak(Moment now, WallMilliseconds wall) {
    MembershipOutput out;
    impl_->speak_later = true;
    if (now >= impl_->may_speak) impl_->speak(now, wall, out);
    return out;
}

}  // namespace bascule::sync
