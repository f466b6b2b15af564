// SPDX-License-Identifier: Apache-2.0
// Inside Membership: joins each peer's life (peer_life.h), freshness (freshness.h) and paths
// (peer_path.h). Pure; thread: the heartbeat thread's.
#pragma once

#include <string>
#include <vector>

#include "sync/freshness.h"
#include "sync/membership.h"
#include "sync/peer_life.h"
#include "sync/peer_path.h"
#include "sync/peer_said.h"
#include "sync/round_trip.h"

namespace bascule::sync {

struct MembershipPeer {
    std::string name;
    PeerLife life;
    Freshness freshness;
    std::vector<PeerPath> paths;
    RoundTrip stream{};        // of questions by the stream
    Moment stream_answered{};  // Moment{}: never

    PeerSaid said{};
    std::uint64_t unverified = 0;
};

struct Membership::Impl {
    using Peer = MembershipPeer;

    Impl(MembershipOptions asked, Moment now);

    void hear(Peer& peer, std::size_t index, std::size_t path, const Heartbeat& heartbeat,
              const Echo* proof, bool late, Moment now, WallMilliseconds wall,
              MembershipOutput& out);
    void take_words(Peer& peer, const Heartbeat& heartbeat, Nanoseconds way, Moment now,
                    WallMilliseconds wall);
    void begin(Peer& peer, Incarnation incarnation);
    void measure_stream(Peer& peer, Moment asked, Moment now);
    void judge(std::size_t index, bool slept, Moment now, WallMilliseconds wall,
               MembershipOutput& out);
    void send(std::size_t index, std::size_t path, Moment now, WallMilliseconds wall,
              MembershipOutput& out);
    void send_everywhere(std::size_t index, Moment now, WallMilliseconds wall,
                         MembershipOutput& out);
    void send_round(Moment now, WallMilliseconds wall, MembershipOutput& out);
    void speak(Moment now, WallMilliseconds wall, MembershipOutput& out);
    Heartbeat words_for(const Peer& peer, WallMilliseconds wall) const;
    bool lives(const Peer& peer) const;
    Nanoseconds most_delay(const Peer& peer) const;
    Nanoseconds oversleep(Moment now) const;
    Nanoseconds patience(const Peer& peer) const;
    Moment next_tick() const;
    PeerView view_of(const Peer& peer, Moment now) const;
    PathView view_of(const PeerPath& path, Moment now) const;
    bool joined(const Peer& peer, Moment now) const;
    bool uses_wire(const Peer& peer, Moment now) const;
    // Of `path` among the paths, as heartbeats name it.
    std::uint32_t name_of_path(std::size_t path) const {
        return path == options.paths ? wire_path : static_cast<std::uint32_t>(path);
    }
    Nanoseconds wire_time() const { return std::max(wire_memory, silence_allowed()); }
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
    Moment asked_by_wire{};  // Moment{}: never
    Moment measure_after{};  // what was sent before is no measure: this node slept meanwhile
};

}  // namespace bascule::sync
