// SPDX-License-Identifier: Apache-2.0
// What packets make of a session, through the loaded program: its state, what is counted, and what
// is announced to others.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "cpu.h"
#include "scene.h"

namespace bascule::test {

namespace {

using namespace std::chrono_literals;

class Sessions : public Scene, public ::testing::WithParamInterface<Family> {
protected:
    // Sends a packet of the one flow; the backend it went to.
    std::uint8_t send(std::uint8_t flags, std::uint32_t sequence = 1001, std::size_t payload = 0) {
        return deliver(tcp_packet(GetParam(), flags, sequence, client_port, payload));
    }
    void establish() {
        send(syn, 1000);
        send(ack, 1001);
        ASSERT_EQ(state(), BSC_ESTABLISHED);
        engine().counted();
        engine().deltas();
    }
    // Of the one flow's session; BSC_FREE when there is none. There is never more than one.
    bsc_state state(std::uint16_t service_port = web) {
        EXPECT_LE(engine().sessions().size(), 1U);
        const auto session = engine().session(key_of(GetParam(), service_port));
        return session ? session->state : BSC_FREE;
    }
    void expect_deltas(std::vector<bsc_delta_kind> kinds) {
        const std::vector<bsc_delta> deltas = engine().deltas();
        ASSERT_EQ(deltas.size(), kinds.size());
        for (std::size_t i = 0; i < kinds.size(); i++) {
            const bsc_delta& delta = deltas[i];
            EXPECT_EQ(delta.kind, kinds[i]);
            EXPECT_EQ(std::memcmp(delta.be_source, GetParam().client.bytes().data(), 16), 0);
            EXPECT_EQ(delta.be_source_port, __builtin_bswap16(client_port));
            EXPECT_EQ(delta.be_destination_port, __builtin_bswap16(web));
            EXPECT_EQ(delta.service, engine().service_slot(web_key(GetParam())));
            const auto session = engine().session(key_of(GetParam()));
            ASSERT_TRUE(session.has_value());
            EXPECT_EQ(delta.backend, session->backend);
            EXPECT_EQ(delta.generation, session->generation);
        }
    }
    void limit(model::Seconds embryonic, model::Seconds established, model::Seconds closing,
               model::Unknown unknown) {
        model::Desired desired = usual_tables();
        for (model::DesiredService& each : desired.services) {
            each.options.limits = {embryonic, established, closing};
            each.options.unknown = unknown;
        }
        want(desired);
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Sessions, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Sessions, Handshake) {
    const std::uint8_t backend = send(syn, 1000);
    EXPECT_EQ(state(), BSC_EMBRYONIC);
    EXPECT_EQ(engine().counted(), (Counts{{"session_inserted", 1}}));
    expect_deltas({});

    EXPECT_EQ(send(ack, 1001), backend);
    EXPECT_EQ(state(), BSC_ESTABLISHED);
    EXPECT_EQ(engine().counted(), (Counts{{"session_established", 1}}));
    expect_deltas({BSC_DELTA_ESTABLISHED});

    for (std::uint32_t i = 0; i < 50; i++)
        EXPECT_EQ(send(ack, 1001 + i * 100, 100), backend);
    EXPECT_EQ(engine().counted(), Counts{});
    expect_deltas({});
}

TEST_P(Sessions, AckThatDoesNotFitLeavesItEmbryonic) {
    const std::uint8_t backend = send(syn, 1000);
    engine().counted();
    for (const std::uint32_t sequence : {1000U, 1002U, 0U, 4000000000U})
        EXPECT_EQ(send(ack, sequence), backend);
    EXPECT_EQ(state(), BSC_EMBRYONIC);
    EXPECT_EQ(send(rst, 1001), backend);
    EXPECT_EQ(state(), BSC_EMBRYONIC);
    EXPECT_EQ(engine().counted(), Counts{});
    expect_deltas({});
    EXPECT_EQ(send(ack, 1001), backend);
    EXPECT_EQ(state(), BSC_ESTABLISHED);
}

TEST_P(Sessions, SequenceNumberThatTurnsRound) {
    send(syn, 0xffffffff);
    send(ack, 0);
    EXPECT_EQ(state(), BSC_ESTABLISHED);
}

TEST_P(Sessions, SynSentAgainIsOneSession) {
    const std::uint8_t backend = send(syn, 1000);
    EXPECT_EQ(send(syn, 1000), backend);
    EXPECT_EQ(send(syn, 7000), backend);  // the port's next connection: its number counts now
    EXPECT_EQ(engine().counted(), (Counts{{"session_inserted", 1}}));
    send(ack, 1001);
    EXPECT_EQ(state(), BSC_EMBRYONIC);
    send(ack, 7001);
    EXPECT_EQ(state(), BSC_ESTABLISHED);
}

TEST_P(Sessions, FinEndsItOnce) {
    establish();
    send(fin | ack);
    EXPECT_EQ(state(), BSC_CLOSING);
    EXPECT_EQ(engine().counted(), (Counts{{"session_closed", 1}}));
    expect_deltas({BSC_DELTA_CLOSED});
    send(fin | ack);  // again
    send(ack, 1002);  // of the server's
    send(rst, 1002);
    EXPECT_EQ(state(), BSC_CLOSING);
    EXPECT_EQ(engine().counted(), Counts{});
    expect_deltas({});
}

TEST_P(Sessions, RstEndsItOnce) {
    establish();
    send(rst);
    EXPECT_EQ(state(), BSC_CLOSING);
    EXPECT_EQ(engine().counted(), (Counts{{"session_closed", 1}}));
    expect_deltas({BSC_DELTA_CLOSED});
}

// What a peer has brought is delivered where the peer delivers it, and is this node's from its
// first packet here on, also within the second in which it came.
TEST_P(Sessions, ACopyFromAPeerIsFollowedAndBecomesOurs) {
    establish();
    dataplane::Session copy = *engine().session(key_of(GetParam()));
    const std::uint8_t elsewhere = send(ack);
    copy.from_peer = true;
    copy.idle = 0;
    for (int i = 0; i < 3; i++) {
        ASSERT_TRUE(engine().dataplane().sessions().put(copy));
        EXPECT_EQ(send(ack, 1001, 10), elsewhere);
        EXPECT_FALSE(engine().session(key_of(GetParam()))->from_peer);
    }
    ASSERT_TRUE(engine().dataplane().sessions().put(copy));
    send(syn, 99999);
    EXPECT_TRUE(engine().session(key_of(GetParam()))->from_peer) << "a SYN proves nothing";
    expect_deltas({});
}

TEST_P(Sessions, StrangersSynLeavesAnEstablishedOne) {
    establish();
    send(syn, 99999);
    EXPECT_EQ(state(), BSC_ESTABLISHED);
    EXPECT_EQ(engine().counted(), Counts{});
}

TEST_P(Sessions, SynAfterTheEndBeginsAnew) {
    establish();
    send(fin | ack);
    send(syn, 4000);  // right behind it both may be a stranger's: the old backend's business
    EXPECT_EQ(state(), BSC_CLOSING);
    std::this_thread::sleep_for(3100ms);
    send(syn, 5000);
    EXPECT_EQ(state(), BSC_EMBRYONIC);
    engine().counted();
    engine().deltas();
    send(ack, 5001);
    EXPECT_EQ(state(), BSC_ESTABLISHED);
    EXPECT_EQ(engine().counted(), (Counts{{"session_established", 1}}));
    expect_deltas({BSC_DELTA_ESTABLISHED});
}

TEST_P(Sessions, DataAfterABlindRstRevivesIt) {
    const CpuGuard guard;
    pin_to(usable_cpus().front());  // logs of several CPUs have no order between them
    establish();
    send(rst, 77);
    ASSERT_EQ(state(), BSC_CLOSING);
    send(ack | psh, 1001, 50);  // right behind it: may be reordering
    EXPECT_EQ(state(), BSC_CLOSING);
    std::this_thread::sleep_for(3100ms);
    send(ack | psh, 1051, 50);
    EXPECT_EQ(state(), BSC_ESTABLISHED);
    const Counts counts = engine().counted();
    EXPECT_EQ(counts.count("session_established"), 0U);  // counted when it was
    expect_deltas({BSC_DELTA_CLOSED, BSC_DELTA_ESTABLISHED});
}

TEST_P(Sessions, AckOfNoSessionIsAdoptedAndProvesItselfByTime) {
    const std::uint8_t backend = send(ack, 1001);
    EXPECT_EQ(state(), BSC_ADOPTED);
    EXPECT_EQ(send(ack, 2001), backend);
    EXPECT_EQ(engine().counted(), (Counts{{"session_inserted", 1}}));
    expect_deltas({});
    std::this_thread::sleep_for(3100ms);
    EXPECT_EQ(send(ack, 3001), backend);
    EXPECT_EQ(state(), BSC_ESTABLISHED);
    EXPECT_EQ(engine().counted(), (Counts{{"session_established", 1}}));
    expect_deltas({BSC_DELTA_ESTABLISHED});
}

TEST_P(Sessions, SecondDatagramEstablishes) {
    const std::uint8_t backend = deliver(udp_packet(GetParam()));
    EXPECT_EQ(state(name), BSC_EMBRYONIC);
    EXPECT_EQ(deliver(udp_packet(GetParam())), backend);
    EXPECT_EQ(state(name), BSC_ESTABLISHED);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(deliver(udp_packet(GetParam())), backend);
    EXPECT_EQ(engine().counted(), (Counts{{"session_established", 1}, {"session_inserted", 1}}));
}

TEST_P(Sessions, OnePortInTwoServicesIsTwoSessions) {
    send(syn, 1000);
    deliver(udp_packet(GetParam()));
    EXPECT_EQ(engine().sessions().size(), 2U);
    EXPECT_TRUE(engine().session(key_of(GetParam(), web)).has_value());
    EXPECT_TRUE(engine().session(key_of(GetParam(), name)).has_value());
}

// As on a veth, or under a NIC that spreads by something else than the flow.
TEST_P(Sessions, FlowThatChangesCpuIsOneSession) {
    const std::vector<int> cpus = usable_cpus();
    ASSERT_GE(cpus.size(), 2U) << "this test needs two CPUs";
    const CpuGuard guard;
    std::size_t turn = 0;
    const auto next_cpu = [&] { pin_to(cpus[turn++ % 2]); };
    next_cpu();
    const std::uint8_t backend = send(syn, 1000);
    for (std::uint32_t i = 0; i < 200; i++) {
        next_cpu();
        EXPECT_EQ(send(ack, 1001 + i), backend);
        EXPECT_EQ(state(), BSC_ESTABLISHED);
    }
    next_cpu();
    EXPECT_EQ(send(fin | ack, 2000), backend);
    next_cpu();
    EXPECT_EQ(send(fin | ack, 2000), backend);
    EXPECT_EQ(state(), BSC_CLOSING);
    EXPECT_EQ(engine().counted(),
              (Counts{{"session_inserted", 1}, {"session_established", 1}, {"session_closed", 1}}));
    EXPECT_EQ(engine().deltas().size(), 2U);
}

// Three flows, left alone in three states, each past its own limit.
TEST_P(Sessions, IdleSessionIsOverInEveryState) {
    limit(1s, 1s, 1s, model::Unknown::drop);
    constexpr std::uint16_t embryonic = 41001, established = 41002, closing = 41003;
    const auto send_from = [&](std::uint16_t port, std::uint8_t flags, std::uint32_t sequence) {
        EXPECT_NE(deliver(tcp_packet(GetParam(), flags, sequence, port)), 0);
    };
    for (const std::uint16_t port : {embryonic, established, closing})
        send_from(port, syn, 1000);
    for (const std::uint16_t port : {established, closing})
        send_from(port, ack, 1001);
    send_from(closing, fin | ack, 1001);
    ASSERT_EQ(engine().session(key_of(GetParam(), web, embryonic))->state, BSC_EMBRYONIC);
    ASSERT_EQ(engine().session(key_of(GetParam(), web, established))->state, BSC_ESTABLISHED);
    ASSERT_EQ(engine().session(key_of(GetParam(), web, closing))->state, BSC_CLOSING);
    engine().counted();
    std::this_thread::sleep_for(3100ms);
    for (const std::uint16_t port : {embryonic, established, closing})
        expect_untouched(tcp_packet(GetParam(), ack, 1001, port), Verdict::drop);
    EXPECT_EQ(engine().counted(), (Counts{{"unknown_session", 3}}));
}

// Packets keep it, however short its limit: seen at most every second is often enough.
TEST_P(Sessions, TrafficKeepsASession) {
    limit(60s, 3s, 60s, model::Unknown::drop);
    send(syn, 1000);
    send(ack, 1001);
    for (int i = 0; i < 10; i++) {
        std::this_thread::sleep_for(500ms);
        EXPECT_NE(send(ack, 1002), 0);
    }
}

}  // namespace

}  // namespace bascule::test
