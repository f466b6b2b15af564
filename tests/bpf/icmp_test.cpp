// SPDX-License-Identifier: Apache-2.0
// ICMP errors about answers of a service: they quote what the client was sent, and go to the
// backend that sent it. And what else of ICMP comes to a VIP.
#include <gtest/gtest.h>

#include "checksum.h"
#include "icmp_scene.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;

class Errors : public IcmpScene {};

INSTANTIATE_TEST_SUITE_P(Families, Errors, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Errors, OfEachKindGoToTheBackendOfTheFlow) {
    const std::uint8_t to = open();
    const std::vector<int> types = v4() ? std::vector{3, 11, 12} : std::vector{1, 2, 3, 4};
    for (const int type : types)
        for (int code = 0; code <= (type == 3 && v4() ? 15 : 2); code++) {
            SCOPED_TRACE("type " + std::to_string(type) + " code " + std::to_string(code));
            expect_followed(error({.type = static_cast<std::uint8_t>(type),
                                   .code = static_cast<std::uint8_t>(code),
                                   .quoted = answer()}),
                            to);
        }
}

TEST_P(Errors, FollowTheSessionOfEachFlow) {
    for (std::uint16_t i = 0; i < 50; i++) {
        const auto port = static_cast<std::uint16_t>(client_port + i);
        const std::uint8_t to = open(port);
        expect_followed(error(answer({.client = port})), to);
    }
}

// The session decides, not the ring: it may have been opened when the ring was another one.
TEST_P(Errors, FollowTheSessionRatherThanTheRing) {
    std::vector<std::uint8_t> backends;
    model::Desired desired = usual_tables();
    for (model::DesiredService& service : desired.services)
        service.backends[1].weight = service.backends[2].weight = 0;
    want(desired);
    for (std::uint16_t i = 0; i < 20; i++)
        ASSERT_EQ(open(static_cast<std::uint16_t>(client_port + i)), 1);
    want(usual_tables());
    for (std::uint16_t i = 0; i < 20; i++)
        expect_followed(error(answer({.client = static_cast<std::uint16_t>(client_port + i)})), 1);
}

// Without a session it goes where the flow's packets would; nothing is remembered.
TEST_P(Errors, WithoutSessionFollowTheRing) {
    for (std::uint16_t i = 0; i < 20; i++) {
        const auto port = static_cast<std::uint16_t>(client_port + i);
        const std::uint8_t by_error = deliver(error(answer({.client = port})));
        expect_counts({"icmp_followed"});
        EXPECT_TRUE(engine().sessions().empty());
        EXPECT_EQ(open(port), by_error);
        engine().forget_sessions();
    }
}

TEST_P(Errors, ChangeNothingInTheSession) {
    open();
    const auto before = engine().sessions();
    engine().deltas();
    deliver(error(answer()));
    EXPECT_EQ(engine().sessions(), before);
    EXPECT_TRUE(engine().deltas().empty());
}

TEST_P(Errors, OfUdp) {
    const std::uint8_t to = open_udp();
    expect_followed(error(answer({.tcp = false, .service_port = name})), to);
}

TEST_P(Errors, WithoutBackendAreDropped) {
    model::Desired desired = usual_tables();
    for (model::DesiredService& service : desired.services)
        service.backends.clear();
    want(desired);
    expect_dropped(error(answer()), "no_backend");
}

// on_empty = "reset" answers clients; an error is never answered.
TEST_P(Errors, WithoutBackendAreNotAnswered) {
    Served served;
    served.family = family();
    served.has_backend = false;
    served.on_empty = model::OnEmpty::reset;
    serve({served});
    expect_dropped(error(answer()), "no_backend");
}

TEST_P(Errors, OfASessionWhoseBackendIsDownFollowTheRing) {
    const std::uint8_t before = open();
    model::Desired desired = usual_tables();
    for (model::DesiredService& service : desired.services)
        service.backends[before - 1U].up = false;
    want(desired);
    const std::uint8_t to = deliver(error(answer()));
    EXPECT_NE(to, before);
    expect_counts({"icmp_followed"});
}

TEST_P(Errors, InPiecesGoToLinux) {
    open();
    if (v4()) {
        Bytes frame = error(answer());
        put16(frame, 14 + 6, 0x2000);
        expect_passed(frame, "vip_other_protocol");
        return;
    }
    const Bytes frame = header(router(false), family().vip).piece(0, true).icmp(too_big(answer()));
    expect_passed(frame, "vip_other_protocol");
}

TEST_P(Errors, ForAnotherMacAreNotOurs) {
    Bytes frame = error(answer());
    frame[5] = 0x55;
    expect_passed(frame, "other_host");
}

TEST_P(Errors, ForAnotherHostAreNotOurs) {
    expect_untouched(header(router(v4()), family().other).icmp(too_big(answer())), Verdict::pass);
    expect_counts({});
}

TEST_P(Errors, CutHeaderGoesToLinux) {
    for (const std::size_t bytes : {0U, 3U, 7U}) {
        const Bytes frame =
            header(router(v4()), family().vip).protocol(v4() ? 1 : 58, 0).payload(bytes);
        const Outcome outcome = engine().run(frame);
        EXPECT_TRUE(outcome.verdict == Verdict::pass || outcome.verdict == Verdict::drop);
        EXPECT_EQ(hex(outcome.frame), hex(frame));
        engine().counted();
    }
}

// ---- by every way ------------------------------------------------------------------------------

TEST_P(Errors, GoByEveryWay) {
    for (const NamedWay& named : every_way()) {
        SCOPED_TRACE(named.name);
        Served served, of_udp;
        served.family = of_udp.family = family();
        served.way = of_udp.way = named.way;
        of_udp.protocol = Protocol::udp;
        serve({served, of_udp});
        engine().counted();
        expect_delivered(error(answer()), named.way);
        expect_counts({"icmp_followed"});
        expect_delivered(error(answer({.tcp = false})), named.way);
        expect_delivered(error(answer({.payload = 41})), named.way);
        Bytes cut_quote = answer();
        cut_quote.resize(v4() ? 28 : 48);  // without TCP's checksum
        expect_delivered(error(cut_quote), named.way);
        cut_quote = answer({.tcp = false});
        cut_quote.resize(v4() ? 28 : 48);
        expect_delivered(error(cut_quote), named.way);
        if (v4()) expect_delivered(error(answer({.option_bytes = 8})), named.way);
        if (v4()) expect_delivered(error(answer({.tcp = false, .udp_checksum = 0})), named.way);
        // A quoted checksum at the edge of what is quoted: half of it is none.
        cut_quote = answer();
        cut_quote.resize((v4() ? 20 : 40) + 17);
        expect_delivered(error(cut_quote), named.way);
        cut_quote = answer();
        cut_quote.resize((v4() ? 20 : 40) + 18);
        expect_delivered(error(cut_quote), named.way);
    }
}

// RFC 1122, 3.2.2: no error about an error.
TEST_P(Errors, ThatDoNotFitAreNotAnswered) {
    Served served;
    served.family = family();
    served.way = tunnel_way(Forward::ipip, v4());
    served.mtu = v4() ? 600 : 1300;
    serve({served});
    Frame frame =
        v4() ? Frame().ipv4(
                   {.source = router(true), .destination = family().vip, .fragment_word = 0x4000})
             : header(router(false), family().vip);
    frame.icmp(too_big(answer({.payload = 1230})));
    expect_untouched(frame, Verdict::drop);
    expect_counts({"too_big_untold"});
}

// ---- what is no error --------------------------------------------------------------------------

class Echo : public IcmpScene {};
INSTANTIATE_TEST_SUITE_P(Families, Echo, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Echo, GoesToLinuxOnTheHolder) {
    const Icmp request{.type = static_cast<std::uint8_t>(v4() ? 8 : 128), .code = 0, .rest = 1};
    const Icmp reply{.type = static_cast<std::uint8_t>(v4() ? 0 : 129), .code = 0, .rest = 1};
    expect_passed(header(family().client, family().vip).icmp(request), "vip_other_protocol");
    expect_passed(header(family().client, family().vip).icmp(reply), "vip_other_protocol");
}

TEST_P(Echo, IsDroppedOnAStandby) {
    model::Desired desired = usual_tables();
    for (model::DesiredVip& vip : desired.vips)
        vip.held = false;
    want(desired);
    const Icmp request{.type = static_cast<std::uint8_t>(v4() ? 8 : 128), .code = 0, .rest = 1};
    expect_dropped(header(family().client, family().vip).icmp(request), "not_held");
}

TEST_P(Echo, OtherKindsGoToLinux) {
    const std::vector<int> types =
        v4() ? std::vector{4, 5, 9, 10, 13, 17, 40} : std::vector{0, 100, 130, 138, 160, 255};
    for (const int type : types)
        expect_passed(header(family().client, family().vip)
                          .icmp({.type = static_cast<std::uint8_t>(type), .quoted = answer()}),
                      "vip_other_protocol");
}

// Neighbour discovery for a VIP stays with Linux even where the VIP is not held.
TEST_P(Echo, NeighbourDiscoveryAlwaysGoesToLinux) {
    if (v4()) return;
    model::Desired desired = usual_tables();
    for (model::DesiredVip& vip : desired.vips)
        vip.held = false;
    want(desired);
    for (int type = 133; type <= 137; type++) {
        const Outcome outcome = engine().run(
            header(family().client, family().vip)
                .icmp({.type = static_cast<std::uint8_t>(type), .code = 0, .quoted = Bytes(16)}));
        EXPECT_EQ(outcome.verdict, Verdict::pass) << type;
        EXPECT_EQ(engine().counted().count("not_held"), 0U);
    }
}

}  // namespace

}  // namespace bascule::test
