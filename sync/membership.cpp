// SPDX-License-Identifier: Apache-2.0
// Joins each peer's life (peer_life.h), freshness (freshness.h) and paths (peer_path.h).
#include "sync/membership.h"

#include <algorithm>
#include <stdexcept>

#include "sync/freshness.h"
#include "sync/peer_life.h"
#include "sync/peer_path.h"
#include "sync/peer_said.h"

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

struct Peer {
    std::string name;
    PeerLife life;
    Freshness freshness;
    std::vector<PeerPath> paths;

    PeerSaid said{};
    std::uint64_t unverified = 0;
};

}  // namespace

struct Membership::Impl {
    Impl(MembershipOptions asked, Moment now);

    void hear(Peer& peer, std::size_t index, std::size_t path, const Heartbeat& heartbeat,
              const Echo* proof, bool late, Moment now, WallMilliseconds wall,
              MembershipOutput& out);
    void begin(Peer& peer, Incarnation incarnation);
    void judge(std::size_t index, bool slept, Moment now, WallMilliseconds wall,
               MembershipOutput& out);
    void send(std::size_t index, std::size_t path, Moment now, WallMilliseconds wall,
              MembershipOutput& out);
    void send_everywhere(std::size_t index, Moment now, WallMilliseconds wall,
                         MembershipOutput& out);
    void send_round(Moment now, WallMilliseconds wall, MembershipOutput& out);
    void speak(Moment now, WallMilliseconds wall, MembershipOutput& out);
    Nanoseconds oversleep(Moment now) const;
    Nanoseconds patience(const Peer& peer) const;
    Moment next_tick() const;
    PeerView view_of(const Peer& peer, Moment now) const;
    PathView view_of(const PeerPath& path, Moment now) const;
    Nanoseconds silence_allowed() const { return options.interval * options.dead_after; }

    MembershipOptions options;
    Nanoseconds lately;
    NodeFacts facts;
    std::vector<VipClaim> claims;
    std::vector<Peer> peers;
    Moment next_round;  // of heartbeats
    Moment stamp{};     // of the newest heartbeat: who hears two believes the later one
    Moment may_speak;   // the next one out of turn, not before
    bool speak_later = false;
    Moment expected_tick;    // the caller should be back by then
    Moment measure_after{};  // what was sent before is no measure: this node slept meanwhile
};

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
                         .paths = std::vector<PeerPath>(options.paths)});
    }
}

// ---- in ----

void Membership::Impl::hear(Peer& peer, std::size_t index, std::size_t path_index,
                            const Heartbeat& heartbeat, const Echo* proof, bool late, Moment now,
                            WallMilliseconds wall, MembershipOutput& out) {
    PeerPath& path = peer.paths[path_index];
    path.heard(heartbeat, now, late);
    if (proof != nullptr)
        path.echoed(*proof, now, !late && from_wire(proof->sent) >= measure_after);
    peer.said.hear(heartbeat, peer.freshness.delayed(heartbeat.sent, now),
                   path.round_trip().smoothed() / 2, now, wall);
    const Liveness before = peer.life.liveness();
    const Nanoseconds silent = now - peer.life.last_heard();
    if (peer.life.heard(now)) {
        const std::string by = "heartbeats by path " + std::to_string(path_index + 1);
        const bool first = before == Liveness::unknown;
        out.changes.push_back({.peer = index,
                               .from = before,
                               .to = Liveness::alive,
                               .why = first ? by : by + ", after " + in_milliseconds(silent)});
    }
    if (heartbeat.probe && path.may_answer()) send(index, path_index, now, wall, out);
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
    Peer& peer = impl_->peers.at(index);
    PeerPath& path = peer.paths.at(path_index);
    if (heartbeat.path != path_index) {
        path.refuse_replayed();
        return out;
    }
    const Echo* proof = path.proof(heartbeat, impl_->options.incarnation, now - impl_->lately, now);
    const bool proven = proof != nullptr;
    // It has waited in our socket, nobody knows how long.
    const bool late = impl_->oversleep(now) > Nanoseconds(0);
    const auto verdict = peer.freshness.judge(heartbeat.incarnation, heartbeat.sent, proven, now);
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

MembershipOutput Membership::on_stream_answer(std::size_t peer, Moment) {
    impl_->peers.at(peer).life.answered();
    return {};
}

// ---- time ----

Nanoseconds Membership::Impl::oversleep(Moment now) const {
    const Nanoseconds late = now - expected_tick;
    return late >= options.interval ? late : Nanoseconds(0);
}

// How long answers take by the paths that it was heard on lately: by any of them one may come.
Nanoseconds Membership::Impl::patience(const Peer& peer) const {
    Nanoseconds least = Nanoseconds::max();
    for (const PeerPath& path : peer.paths) {
        const bool lived = path.heard_since(peer.life.last_heard() - silence_allowed());
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
        std::string why = "no heartbeat on " + counted(peer.paths.size(), "path") + " for " +
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
        for (Peer& peer : impl_->peers)
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
    const Liveness liveness = peer.life.liveness();
    HeartbeatToSend to{.peer = index, .path = path, .heartbeat = {}};
    Heartbeat& heartbeat = to.heartbeat;
    heartbeat.node = options.self;
    heartbeat.to = peer.name;
    heartbeat.incarnation = options.incarnation;
    heartbeat.path = static_cast<std::uint32_t>(path);
    heartbeat.sequence = peer.paths[path].next_sequence();
    stamp = std::max(stamp, now);
    heartbeat.sent = to_wire(stamp);
    heartbeat.wall = wall;
    heartbeat.echoes = peer.paths[path].echoes(now - lately, now);
    heartbeat.probe = liveness == Liveness::suspect;
    heartbeat.hears = liveness == Liveness::alive || liveness == Liveness::suspect;
    heartbeat.facts = facts;
    heartbeat.claims = claims;
    out.send.push_back(std::move(to));
}

void Membership::Impl::send_everywhere(std::size_t index, Moment now, WallMilliseconds wall,
                                       MembershipOutput& out) {
    for (std::size_t path = 0; path < options.paths; ++path)
        send(index, path, now, wall, out);
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

// ---- what is known ----

PathView Membership::Impl::view_of(const PeerPath& path, Moment now) const {
    PathView view;
    view.heard = path.heard_since(now - silence_allowed());
    view.hears_us = view.heard && path.echoed_since(now - silence_allowed() - options.interval -
                                                    path.round_trip().smoothed());
    view.last_heard = path.last_heard();
    view.rtt = path.round_trip().smoothed();
    view.rtt_least = path.round_trip().least();
    view.loss = path.loss(now, options.interval);
    view.received = path.received();
    view.replayed = path.replayed();
    view.late = path.late();
    return view;
}

PeerView Membership::Impl::view_of(const Peer& peer, Moment now) const {
    PeerView view;
    view.name = peer.name;
    view.liveness = peer.life.liveness();
    view.since = peer.life.since();
    view.incarnation = peer.freshness.current();
    const bool heard = view.liveness == Liveness::alive || view.liveness == Liveness::suspect;
    view.hears_us = heard && peer.said.hears_us;
    view.incompatible = peer.said.incompatible;
    view.version = peer.said.version;
    view.facts = peer.said.facts;
    view.claims = peer.said.claims;
    view.wall_skew = peer.said.wall_skew;
    view.unverified = peer.unverified;
    view.suspected = peer.life.suspected();
    view.died = peer.life.died();
    for (const PeerPath& path : peer.paths)
        view.paths.push_back(view_of(path, now));
    return view;
}

Membership::Membership(MembershipOptions options, Moment now)
    : impl_(std::make_unique<Impl>(std::move(options), now)) {}

Membership::~Membership() = default;

void Membership::set_facts(const NodeFacts& facts) {
    impl_->facts = facts;
    impl_->facts.release = impl_->options.release;
}

void Membership::set_claims(std::vector<VipClaim> claims) {
    if (claims == impl_->claims) return;
    impl_->claims = std::move(claims);
    // Whatever says this is newer than what says the former, also when a clock has not moved.
    impl_->stamp += Nanoseconds(1);
}

std::vector<PeerView> Membership::view(Moment now) const {
    std::vector<PeerView> views;
    for (const Peer& peer : impl_->peers)
        views.push_back(impl_->view_of(peer, now));
    return views;
}

Liveness Membership::liveness(std::size_t peer) const {
    return impl_->peers.at(peer).life.liveness();
}

std::span<const VipClaim> Membership::claims(std::size_t peer) const {
    return impl_->peers.at(peer).said.claims;
}

Moment Membership::claims_heard(std::size_t peer) const {
    return impl_->peers.at(peer).said.at;
}

bool Membership::incompatible(std::size_t peer) const {
    return impl_->peers.at(peer).said.incompatible;
}

bool Membership::hears_us(std::size_t peer) const {
    return impl_->peers.at(peer).said.hears_us;
}

bool Membership::sees_witness(std::size_t peer) const {
    const PeerSaid& said = impl_->peers.at(peer).said;
    return said.facts.witness && !said.incompatible;
}

bool Membership::alone() const {
    return std::ranges::all_of(impl_->peers, [](const Peer& peer) {
        const Liveness liveness = peer.life.liveness();
        return liveness == Liveness::unknown || liveness == Liveness::dead;
    });
}

}  // namespace bascule::sync
