// SPDX-License-Identifier: Apache-2.0
// Who is found by a VIP: what asks for one of a cluster's goes to Linux until its deadline has
// passed; and who else says that he has it is noted.
#include <gtest/gtest.h>

#include <array>
#include <chrono>

#include "dataplane/vip_guard.h"
#include "scene.h"

namespace bascule::test {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr Mac stranger{{0x02, 0, 0, 0, 0x57, 0x01}};
constexpr std::uint16_t request = 1, reply = 2;
constexpr std::uint8_t solicitation = 135, advertisement = 136;

Bytes arp(std::uint16_t operation, const Address& sender, const Address& target,
          bool tagged = false) {
    Frame frame(Mac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, stranger, 0x0806);
    if (tagged) frame.vlan(7);
    Bytes bytes = frame.payload(28);
    if (tagged) bytes[16] = 0x08, bytes[17] = 0x06;
    const auto put = [at = bytes.size() - 28, &bytes](std::initializer_list<std::uint8_t> more,
                                                      std::size_t offset) {
        std::copy(more.begin(), more.end(), bytes.begin() + static_cast<long>(at + offset));
    };
    put({0, 1, 8, 0, 6, 4, 0, static_cast<std::uint8_t>(operation)}, 0);
    const auto address = [&](const Address& ip, std::size_t offset) {
        for (std::size_t i = 0; i < 4; ++i)
            put({ip.bytes()[12 + i]}, offset + i);
    };
    for (std::size_t i = 0; i < 6; ++i)
        put({stranger.bytes.at(i)}, 8 + i);
    address(sender, 14);
    address(target, 24);
    return bytes;
}

Bytes neighbour(std::uint8_t type, const Address& target, const Address& to, bool tagged = false,
                std::uint8_t hop_limit = 255) {
    const Bytes quoted(target.bytes().begin(), target.bytes().end());
    Frame frame(our_mac, stranger);
    if (tagged) frame.vlan(7);
    return frame.ipv6({.source = ipv6_family().client, .destination = to, .hop_limit = hop_limit})
        .icmp({.type = type, .code = 0, .rest = 0x20000000, .quoted = quoted});
}

class Guard : public Scene {
protected:
    void SetUp() override {
        Scene::SetUp();
        guard_ = engine().dataplane().vip_guard();
        const auto kept = guard_.keep(std::array{vip4, vip6});
        ASSERT_TRUE(kept) << kept.error().text();
        engine().counted();
    }
    void TearDown() override { EXPECT_TRUE(guard_.keep({})); }

    void found_until(Clock::time_point until) {
        for (const Address& vip : {vip4, vip6}) {
            const auto set = guard_.set(vip, until);
            ASSERT_TRUE(set) << set.error().text();
        }
    }
    void expect_dropped(const Bytes& frame) {
        engine().counted();
        EXPECT_EQ(engine().run(frame).verdict, Verdict::drop) << hex(frame);
        EXPECT_EQ(engine().counted(), (Counts{{"not_found", 1}}));
    }

    const Address vip4 = ipv4_family().vip, vip6 = ipv6_family().vip;
    const Address client4 = ipv4_family().client, client6 = ipv6_family().client;
    dataplane::VipGuard guard_{-1, -1};
};

TEST_F(Guard, AskedForUntilTheDeadline) {
    const Address solicited = address("ff02::1:ff00:50");
    for (const bool tagged : {false, true})
        for (const Bytes& question :
             {arp(request, client4, vip4, tagged), neighbour(solicitation, vip6, vip6, tagged),
              neighbour(solicitation, vip6, solicited, tagged)}) {
            found_until(Clock::now() + 1h);
            expect_untouched(question, Verdict::pass);
            found_until(Clock::now() - 1ms);
            expect_dropped(question);
            found_until(Clock::time_point::min());
            expect_dropped(question);
        }
}

TEST_F(Guard, BeginsAsNotToBeFound) {
    expect_dropped(arp(request, client4, vip4));
    expect_dropped(neighbour(solicitation, vip6, vip6));
}

// A taking announces itself by a request for its own address; and who probes is told nothing.
TEST_F(Guard, AnnouncementsAndProbesAreQuestionsToo) {
    expect_dropped(arp(request, vip4, vip4));
    expect_dropped(arp(request, address("0.0.0.0"), vip4));
}

// Who has left is found until somebody else announces the VIP, and not longer. What only names it,
// or answers, announces nothing; and without the word nobody's announcement ends a deadline.
TEST_F(Guard, WhoHasLeftYieldsToAnAnnouncement) {
    const auto found = [this](bool yields) {
        for (const Address& vip : {vip4, vip6})
            ASSERT_TRUE(guard_.set(vip, Clock::now() + 1h, yields));
    };
    const Bytes question4 = arp(request, client4, vip4);
    const Bytes question6 = neighbour(solicitation, vip6, vip6);
    for (const std::uint16_t form : {request, reply}) {
        found(true);
        expect_untouched(question4, Verdict::pass);
        engine().run(arp(reply, vip4, client4));
        engine().run(arp(request, client4, client4));
        expect_untouched(question4, Verdict::pass);
        engine().run(arp(form, vip4, vip4));
        expect_dropped(question4);
        engine().run(neighbour(advertisement, vip6, client6, false, 254));  // through a router
        expect_untouched(question6, Verdict::pass);
        engine().run(neighbour(advertisement, vip6, client6));
        expect_dropped(question6);
        engine().counted();
    }
    found(false);
    engine().run(arp(request, vip4, vip4));
    engine().run(neighbour(advertisement, vip6, client6));
    engine().counted();
    expect_untouched(question4, Verdict::pass);
    expect_untouched(question6, Verdict::pass);
}

// By the other part of a bond: it is this node's own word, and ends nothing.
TEST_F(Guard, WhatComesBackOfItsOwnIsNobodyElses) {
    constexpr Mac other{{0x02, 0, 0, 0, 0x57, 0x02}};
    const auto found = [this](const Mac& own) {
        for (const Address& vip : {vip4, vip6})
            ASSERT_TRUE(guard_.set(vip, Clock::now() + 1h, true, own));
    };
    const auto come_back = [this] {
        for (const std::uint16_t form : {request, reply})
            engine().run(arp(form, vip4, vip4));
        engine().run(neighbour(advertisement, vip6, client6));
        engine().counted();
    };
    const Bytes question4 = arp(request, client4, vip4);
    const Bytes question6 = neighbour(solicitation, vip6, vip6);
    found(stranger);  // who sends these frames
    come_back();
    expect_untouched(question4, Verdict::pass);
    expect_untouched(question6, Verdict::pass);
    EXPECT_TRUE(guard_.rivals().empty());
    found(other);
    come_back();
    expect_dropped(question4);
    expect_dropped(question6);
    EXPECT_EQ(guard_.rivals().size(), 2U);
}

TEST_F(Guard, PacketsOfServicesGoOn) {
    found_until(Clock::now() - 1h);
    EXPECT_TRUE(
        is_backend_of_scene(destination_of(engine().run(tcp_packet(ipv4_family(), syn)).frame)));
    EXPECT_TRUE(
        is_backend_of_scene(destination_of(engine().run(tcp_packet(ipv6_family(), syn)).frame)));
}

TEST_F(Guard, WhateverElseIsLinuxs) {
    expect_untouched(arp(request, client4, address("10.0.0.99")), Verdict::pass);
    expect_untouched(arp(reply, client4, vip4), Verdict::pass);
    expect_untouched(neighbour(solicitation, client6, client6), Verdict::pass);
    expect_untouched(neighbour(advertisement, vip6, client6), Verdict::pass);
    expect_untouched(neighbour(133, vip6, client6), Verdict::pass);
    Bytes other_hardware = arp(request, client4, vip4);
    other_hardware[15] = 6;
    expect_untouched(other_hardware, Verdict::pass);
    Bytes cut = arp(request, client4, vip4);
    cut.resize(cut.size() - 1);
    expect_untouched(cut, Verdict::pass);
    Bytes cut6 = neighbour(solicitation, vip6, client6);
    cut6.resize(14 + 40 + 23);
    EXPECT_EQ(engine().run(cut6).verdict, Verdict::pass);
    engine().counted();
}

TEST_F(Guard, WithoutAnEntryLinuxAnswers) {
    ASSERT_TRUE(guard_.keep({}));
    expect_untouched(arp(request, client4, vip4), Verdict::pass);
    expect_untouched(neighbour(solicitation, vip6, vip6), Verdict::pass);
    EXPECT_FALSE(guard_.set(vip4, Clock::now() + 1h)) << "nobody keeps it";
}

TEST_F(Guard, AnEntryThatIsKeptStaysAsItIs) {
    found_until(Clock::now() + 1h);
    ASSERT_TRUE(guard_.keep(std::array{vip6, vip4}));
    expect_untouched(arp(request, client4, vip4), Verdict::pass);
}

TEST_F(Guard, RivalsAreNoted) {
    EXPECT_TRUE(guard_.rivals().empty());
    engine().run(arp(reply, vip4, client4));
    engine().run(arp(request, vip4, vip4));
    engine().run(neighbour(advertisement, vip6, client6));
    engine().run(arp(reply, client4, client4));
    const auto now = Clock::now().time_since_epoch().count();
    auto rivals = guard_.rivals();
    ASSERT_EQ(rivals.size(), 2U);
    if (rivals.front().vip != vip4) std::swap(rivals.front(), rivals.back());
    EXPECT_EQ(rivals.front().vip, vip4);
    EXPECT_EQ(rivals.front().count, 2U);
    EXPECT_EQ(rivals.back().vip, vip6);
    EXPECT_EQ(rivals.back().count, 1U);
    for (const auto& rival : rivals) {
        EXPECT_EQ(rival.mac, stranger);
        EXPECT_LE(rival.nanoseconds, static_cast<std::uint64_t>(now));
        EXPECT_GT(rival.nanoseconds + 60'000'000'000, static_cast<std::uint64_t>(now));
    }
}

}  // namespace

}  // namespace bascule::test
