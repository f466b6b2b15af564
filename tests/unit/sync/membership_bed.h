// SPDX-License-Identifier: Apache-2.0
// One node's membership, and a peer that says what a test wants.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "sync/membership.h"

namespace bascule::sync::test {

using namespace std::chrono_literals;

constexpr auto interval = 20ms;
constexpr WallMilliseconds wall = 1'700'000'000'000;

inline MembershipOptions options(std::size_t paths = 1, std::uint32_t dead_after = 5) {
    MembershipOptions made;
    made.self = "lb1";
    made.incarnation = 7;
    made.interval = interval;
    made.dead_after = dead_after;
    made.peers = {"lb2"};
    made.paths = paths;
    made.release = "0.1.0";
    return made;
}

// lb1, and what lb2 says to it: as a peer would that hears everything, unless a test changes it.
class Membership1 : public testing::Test {
protected:
    void begin(MembershipOptions asked = options()) {
        paths = asked.paths;
        membership = std::make_unique<Membership>(asked, now);
        sequence.assign(paths, 0);
        last.assign(paths, {});
        tick();
    }
    // Lets time pass, with ticks when they are due.
    void pass(Nanoseconds span) {
        const Moment end = now + span;
        while (membership->next_tick() <= end) {
            now = std::max(now, membership->next_tick());
            tick();
        }
        now = end;
    }
    void tick() { take(membership->on_tick(now, wall)); }
    void take(const MembershipOutput& out) {
        output = out;
        for (const MembershipChange& change : out.changes)
            changes.push_back(change);
        for (const HeartbeatToSend& send : out.send) {
            ++sent;
            if (send.heartbeat.probe) ++probes;
            last.at(send.path) = send.heartbeat;
        }
        asked_streams += out.probe_streams.size();
    }
    Heartbeat made(std::size_t path = 0) {
        Heartbeat heartbeat;
        heartbeat.node = "lb2";
        heartbeat.to = "lb1";
        heartbeat.incarnation = incarnation;
        heartbeat.path = static_cast<std::uint32_t>(path);
        heartbeat.sequence = ++sequence[path];
        heartbeat.sent = static_cast<std::uint64_t>((now - origin).count());
        heartbeat.wall = wall;
        heartbeat.hears = true;
        heartbeat.facts.release = "0.1.0";
        if (last[path].sequence > 0)
            heartbeat.echoes = {{last[path].incarnation, last[path].sequence, last[path].sent, 0}};
        return heartbeat;
    }
    void hear(const Heartbeat& heartbeat, std::size_t path = 0) {
        take(membership->on_heartbeat(0, path, heartbeat, now, wall));
    }
    void hear() { hear(made()); }
    // A heartbeat in each of so many intervals.
    void talk(int intervals) {
        for (int i = 0; i < intervals; ++i) {
            pass(interval);
            hear();
        }
    }
    void become_alive() {
        begin();
        talk(3);
        ASSERT_EQ(membership->liveness(0), Liveness::alive);
        changes.clear();
        asked_streams = 0;
    }
    PeerView view() { return membership->view(now).at(0); }

    Moment now{std::chrono::hours(5)};
    Moment origin{std::chrono::hours(2)};  // of lb2's clock
    std::unique_ptr<Membership> membership;
    std::size_t paths = 1;
    Incarnation incarnation = 1000;
    std::vector<std::uint64_t> sequence;
    std::vector<Heartbeat> last;  // that lb1 sent, by path
    std::vector<MembershipChange> changes;
    MembershipOutput output;
    std::uint64_t sent = 0;
    std::uint64_t probes = 0;
    std::uint64_t asked_streams = 0;
};

}  // namespace bascule::sync::test
