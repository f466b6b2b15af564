// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a member of the cluster says with the right key, told to Membership and
// Takeover as the heartbeat thread does, which take whatever it is; what they then say themselves
// is understood, too. A run is many steps of both: a hundred times as long as one of
// heartbeat_fuzz.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "sync/codec.h"
#include "sync/membership.h"
#include "sync/takeover.h"

namespace {

using namespace bascule::sync;

void check_decoder_of(const std::string& encoded) {
    if (!decode_heartbeat({reinterpret_cast<const std::uint8_t*>(encoded.data()), encoded.size()}))
        std::abort();
}

// As the heartbeat thread does; what comes of it can be sent.
void decide(Takeover& takeover, Membership& membership, Nanoseconds slept, Moment now) {
    std::vector<PeerStanding> standings;
    for (std::size_t peer = 0; peer < 2; ++peer)
        standings.push_back({.liveness = membership.liveness(peer),
                             .incompatible = membership.incompatible(peer),
                             .hears_us = membership.hears_us(peer),
                             .witness = membership.sees_witness(peer),
                             .heard = membership.claims_heard(peer),
                             .claims = membership.claims(peer)});
    takeover.look(standings, slept, now);
    membership.set_claims(takeover.claims());
    for (const HeartbeatToSend& said : membership.speak(now, 1'700'000'000'000).send)
        check_decoder_of(encode_heartbeat(said.heartbeat));
    std::vector<VipHolding> holdings;
    for (const VipDuty& duty : takeover.duties())
        holdings.push_back({.vip = duty.vip, .epoch = duty.epoch, .here = true, .problem = {}});
    takeover.set_holdings(holdings);
    if (takeover.view().size() != 2 || takeover.highest() > most_epoch) std::abort();
}

TakeoverOptions two_vips() {
    TakeoverOptions options;
    options.self = "lb2";
    options.vips = {{.vip = 1, .priority = 200}, {.vip = 2, .priority = 100}};
    return options;
}

OwnFitness all_fit() {
    OwnFitness fitness{.attached = true, .synced = true, .vips = {}};
    fitness.vips = {{.vip = 1, .carrier = true}, {.vip = 2, .carrier = true}};
    return fitness;
}

// Twice: the second one is a repetition, or comes when its incarnation counts. Then silence.
void tell_membership(const Heartbeat& heartbeat) {
    using namespace std::chrono_literals;
    MembershipOptions options;
    options.self = "lb2";
    options.incarnation = 5;
    options.peers = {"lb1", "lb3"};
    options.paths = 2;
    Moment now{1h};
    Membership membership(options, now);
    Takeover takeover(two_vips(), options.peers, now);
    takeover.set_fitness(all_fit());
    for (int round = 0; round < 2; ++round) {
        membership.on_tick(now, 1'700'000'000'000);
        now += 20ms;
        for (std::size_t path = 0; path < options.paths; ++path)
            membership.on_heartbeat(0, path, heartbeat, now, 1'700'000'000'000);
        decide(takeover, membership, 0ms, now);
    }
    for (const auto pause : {5ms, 100ms, 20ms, 1000ms}) {
        now += pause;
        decide(takeover, membership, membership.overslept(now), now);
        membership.on_tick(now, 1'700'000'000'000);
    }
    if (membership.view(now).size() != options.peers.size()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto heartbeat = decode_heartbeat({data, size});
    if (!heartbeat) return 0;
    // What the opener lets through says these two.
    heartbeat->node = "lb1";
    heartbeat->to = "lb2";
    tell_membership(*heartbeat);
    return 0;
}
