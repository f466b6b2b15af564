// SPDX-License-Identifier: Apache-2.0
// Any bytes as a heartbeat. The first byte (modulo 3) says where they come in:
//   0  as a datagram, to the opener: what nobody has sealed is refused
//   1  as what a datagram hides, to the decoder: what was understood says the same when it is
//   encoded
//      again
//   2  the same, sealed with the right key, to the opener, and behind it to Membership and
//   Takeover,
//      which take whatever a member of the cluster says; what they then say themselves is
//      understood
#include <cstdint>
#include <cstdlib>
#include <span>

#include "sync/codec.h"
#include "sync/membership.h"
#include "sync/seal.h"
#include "sync/takeover.h"
#include "tests/unit/sync/sealed.h"

namespace {

using namespace bascule::sync;
using Bytes = std::span<const std::uint8_t>;

SecretKey the_key() {
    SecretKey key;
    key.fill(7);
    return key;
}

HeartbeatOpener make_opener() {
    ClusterKeys keys;
    keys.keys = {the_key()};
    return HeartbeatOpener(keys, "main", "lb2", {"lb1", "lb3"});
}

void check_decoder(Bytes bytes) {
    const auto heartbeat = decode_heartbeat(bytes);
    if (!heartbeat) return;
    const std::string encoded = encode_heartbeat(*heartbeat);
    const auto again =
        decode_heartbeat({reinterpret_cast<const std::uint8_t*>(encoded.data()), encoded.size()});
    if (!again || encode_heartbeat(*again) != encoded) std::abort();
}

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
void tell_membership(const HeartbeatOpener::Opened& opened) {
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
            membership.on_heartbeat(opened.peer, path, opened.heartbeat, now, 1'700'000'000'000);
        decide(takeover, membership, 0ms, now);
    }
    for (const auto pause : {5ms, 100ms, 20ms, 1000ms}) {
        now += pause;
        decide(takeover, membership, membership.overslept(now), now);
        membership.on_tick(now, 1'700'000'000'000);
    }
    if (membership.view(now).size() != options.peers.size()) std::abort();
}

void check_sealed(Bytes plain) {
    static HeartbeatOpener opener = make_opener();
    static Sealing sealing(the_key(), "main", "lb1");
    const Datagram datagram = sealing.seal(plain);
    const auto opened = opener.open(datagram);
    const bool fits = !plain.empty() && datagram.size() <= most_datagram;
    if ((opened.why == Unopened::too_short) == fits) std::abort();
    if (opened.why == Unopened::not_authentic) std::abort();
    if (opened.why == Unopened::none) tell_membership(opened);
}

void check_datagram(Bytes datagram) {
    static HeartbeatOpener opener = make_opener();
    const auto opened = opener.open(datagram);
    // The seeds hold one that is sealed with this very key; no other will be found.
    if (opened.why == Unopened::none && opened.heartbeat.sequence != 42) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes rest(data + 1, size - 1);
    switch (data[0] % 3) {
        case 0:
            check_datagram(rest);
            break;
        case 1:
            check_decoder(rest);
            break;
        default:
            check_sealed(rest);
    }
    return 0;
}
