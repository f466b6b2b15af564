// SPDX-License-Identifier: Apache-2.0
// Who of the cluster is alive, as far as this node can tell. A pure state machine: heartbeats and
// ticks in, heartbeats to be sent and changes out. Thread: the heartbeat thread's.
//
// A peer is alive while any path brings heartbeats; suspect after dead_after - 1 silent intervals
// on all and half of one more: then direct probes go out by every path and by the stream; dead when
// none was answered within an interval (or what round trips take, when that is longer). A node that
// slept itself (on_tick came late) does not blame its peers: it waits one more round, in which it
// probes. Who answers by the stream alone is suspect, also one that was dead or never heard; what
// it claims comes with the answer, so that a path that carries streams and no heartbeats joins two
// nodes all the same.
//
// Freshness. An incarnation of a peer counts only once it has echoed something that this very run
// has sent lately, and later than what the one before it has echoed last: a recording of yesterday
// never does, nor what an earlier run said that was overtaken on its way. After that, sequence
// numbers (a window a path) keep out what was heard before, the pace of its clock what was held
// back on its way, and an incarnation that was replaced never comes back.
//
// A thread that wakes up reads its sockets first and ticks then: what came meanwhile counts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sync/heartbeat.h"
#include "sync/moment.h"

namespace bascule::sync {

enum class Liveness {
    unknown,  // not heard of since this node started
    alive,
    suspect,
    dead,
};
const char* name_of(Liveness liveness);

struct MembershipOptions {
    std::string self;
    Incarnation incarnation = 0;
    Nanoseconds interval{20'000'000};
    std::uint32_t dead_after = 5;
    std::vector<std::string> peers;  // names; an index into this names a peer below
    std::size_t paths = 1;           // the same for all peers
    // One more path, of this index, for peers that the others do not join: the link that VIPs are
    // on. It is used only where ask_by_wire() has said so lately or the peer was heard by it
    // lately, and as long as no other path carries both ways.
    bool wire = false;
    std::string release;
    // What it speaks, and what who hears it has to know.
    std::uint32_t version = protocol_version;
    std::uint32_t needs = protocol_needs;
};

struct MembershipChange {
    std::size_t peer = 0;
    Liveness from = Liveness::unknown;
    Liveness to = Liveness::unknown;
    bool restarted = false;  // another incarnation speaks (to is then alive)
    std::string why;         // "no heartbeat on 2 paths for 102 ms, and 6 probes were not answered"
};

struct HeartbeatToSend {
    std::size_t peer = 0;
    std::size_t path = 0;
    Heartbeat heartbeat;
};

// What a call brought about. The caller sends, and asks the streams.
struct MembershipOutput {
    std::vector<HeartbeatToSend> send;
    std::vector<std::size_t> probe_streams;  // peers to be asked by their stream as well
    std::vector<MembershipChange> changes;
    Nanoseconds slept{0};  // so much longer than it should have; 0: not worth mentioning
    bool round = false;    // `send` has one for every peer by every path
    bool counted = false;  // the heartbeat was not refused
};

// So long a peer is looked for on the wire; and so long what was heard there counts.
inline constexpr Nanoseconds wire_memory = std::chrono::seconds(2);

struct PathView {
    bool heard = false;     // within the last dead_after intervals
    bool hears_us = false;  // and the peer says that it hears us by it
    Moment last_heard{};
    Nanoseconds rtt{0};        // smoothed (RFC 6298, alpha 1/8); 0: not measured
    Nanoseconds rtt_least{0};  // of about the last minute
    double loss = 0;           // 0..1, of the last 256 that should have come to us
    std::uint64_t received = 0;
    std::uint64_t replayed = 0;  // refused: seen before, led astray, or of one that is over
    std::uint64_t late = 0;      // refused: seconds on its way (or this node slept)
};

struct PeerView {
    std::string name;
    Liveness liveness = Liveness::unknown;
    Moment since{};
    Incarnation incarnation = 0;  // 0: none that counts
    bool hears_us = false;        // the peer holds us for alive
    bool incompatible = false;    // it needs a newer release than this one
    std::uint32_t version = 0;
    NodeFacts facts;
    std::vector<VipClaim> claims;          // of its newest heartbeat
    std::optional<Nanoseconds> wall_skew;  // its wall clock less ours
    std::uint64_t unverified = 0;  // heartbeats of incarnations that have not proven to be fresh
    std::uint64_t suspected = 0;   // times
    std::uint64_t died = 0;        // times
    std::vector<PathView> paths;
    PathView wire;
    bool by_wire = false;  // it lives, and is heard by the wire alone
};

class Membership {
public:
    Membership(MembershipOptions options, Moment now);
    ~Membership();
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

    // A heartbeat that was opened with the cluster's key, whose sender is `peer`, whose `to` is us,
    // and which came by `path`. Indexes beyond the options are a bug.
    MembershipOutput on_heartbeat(std::size_t peer, std::size_t path, const Heartbeat& heartbeat,
                                  Moment now, WallMilliseconds wall);
    // The peer's stream brought the answer to what it was asked at `asked`: what for_stream() made
    // there. Nullopt: it is of an earlier release, which answers, and says nothing.
    MembershipOutput on_stream_answer(std::size_t peer, const std::optional<Heartbeat>& said,
                                      Moment asked, Moment now, WallMilliseconds wall);
    // What this node answers to a peer that asks by the stream.
    Heartbeat for_stream(std::size_t peer, Moment now, WallMilliseconds wall) const;
    // To be called every interval, and at next_tick() when that is earlier.
    MembershipOutput on_tick(Moment now, WallMilliseconds wall);
    Moment next_tick() const;
    // What on_tick(now) would say of its `slept`: for who has to act before it sends anything.
    Nanoseconds overslept(Moment now) const;

    // Said in every heartbeat from the next on.
    void set_facts(const NodeFacts& facts);
    void set_claims(std::vector<VipClaim> claims);
    // A heartbeat to every peer by every path now, out of turn: something has changed that they
    // should know at once. At most four in an interval; what is asked sooner is sent by on_tick().
    MembershipOutput speak(Moment now, WallMilliseconds wall);

    // Somebody on the link of a VIP claims it, and may be a peer that is not heard.
    void ask_by_wire(Moment now);
    // Heartbeats to it by the wire go to where it was heard.
    bool heard_by_wire(std::size_t peer) const;

    std::vector<PeerView> view(Moment now) const;
    Liveness liveness(std::size_t peer) const;
    // What a peer says of VIPs, in its newest heartbeat; valid until the next call of any on_.
    std::span<const VipClaim> claims(std::size_t peer) const;
    // When it said so, as far as the pace of its clock tells: what has waited in a socket while
    // this node slept is not of now. Moment{}: never.
    Moment claims_heard(std::size_t peer) const;
    // The rest of what takeover wants to know of it, without view()'s price. Of one that is
    // incompatible it is not known that it sees a witness.
    bool incompatible(std::size_t peer) const;
    Incarnation incarnation(std::size_t peer) const;  // 0: none that counts
    // And understands it.
    bool hears_us(std::size_t peer) const;
    bool sees_witness(std::size_t peer) const;
    // Dead or unknown, all of them.
    bool alone() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::sync
