// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/health/datagram_server.h"
#include "tests/unit/health/probe_bed.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;
using Answers = std::vector<std::string>;

class UdpBed : public ProbeBed {
public:
    explicit UdpBed(std::uint16_t port) : ProbeBed(make_udp_probe, model::ProbeType::udp, port) {
        target.health.send = "ping";
    }
    void go_to(const char* address) { target.backend = to.address = *Address::parse(address); }
};

// A port that nobody has: one that was given and closed again.
std::uint16_t free_port(int family = AF_INET) {
    return DatagramServer([](const std::string&) { return Answers{}; }, family).port();
}

const auto echo = [](const std::string& datagram) { return Answers{"you said " + datagram}; };
const auto silent = [](const std::string&) { return Answers{}; };

TEST(UdpProbe, AnyAnswerIsGood) {
    DatagramServer server(echo);
    UdpBed bed(server.port());
    bed.target.health.timeout = 20s;
    for (int i = 0; i < 3; ++i) {
        const Outcome outcome = bed.run();
        EXPECT_TRUE(outcome.ok()) << outcome.words;
        EXPECT_EQ(outcome.words, "answered");
    }
    EXPECT_LT(bed.took, 10s);
}

TEST(UdpProbe, AnEmptyAnswerIsOne) {
    DatagramServer server([](const std::string&) { return Answers{""}; });
    UdpBed bed(server.port());
    bed.target.health.timeout = 20s;
    EXPECT_EQ(bed.run().words, "answered");
}

TEST(UdpProbe, SendsItsBytes) {
    DatagramServer server(echo);
    UdpBed bed(server.port());
    bed.target.health.send = std::string("\0\xff\n", 3);
    bed.target.health.expect = std::string("said \0\xff\n", 8);
    EXPECT_TRUE(bed.run().ok());
}

TEST(UdpProbe, WorksByIpv6) {
    DatagramServer server(echo, AF_INET6);
    UdpBed bed(server.port());
    bed.go_to("::1");
    bed.target.health.expect_regex = "^you .* ping$";
    const Outcome outcome = bed.run();
    EXPECT_TRUE(outcome.ok()) << outcome.words;
}

TEST(UdpProbe, SaysWhatTheAnswerLacks) {
    DatagramServer server(echo);
    UdpBed bed(server.port());
    bed.target.health.expect = "pong";
    Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::content);
    EXPECT_EQ(outcome.words, "answer \"you said ping\" lacks \"pong\"");
}

TEST(UdpProbe, SilenceIsGoodOnlyIfNothingIsExpected) {
    DatagramServer server(silent);
    {
        UdpBed bed(server.port());
        const Outcome outcome = bed.run();
        EXPECT_TRUE(outcome.ok());
        EXPECT_EQ(outcome.words, "sent, nothing refused it");
        EXPECT_GE(bed.took, 390ms);
    }
    UdpBed bed(server.port());
    bed.target.health.expect = "pong";
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words, "no answer within 400ms");
}

TEST(UdpProbe, IcmpPortUnreachableIsRefusal) {
    for (const auto& [family, address, words] :
         {std::tuple{AF_INET, "127.0.0.1", "refused by 127.0.0.1 (ICMP port unreachable)"},
          std::tuple{AF_INET6, "::1", "refused by ::1 (ICMP port unreachable)"}}) {
        UdpBed bed(free_port(family));
        bed.go_to(address);
        bed.target.health.timeout = 20s;
        const Outcome outcome = bed.run();
        EXPECT_EQ(outcome.failure, Failure::refused);
        EXPECT_EQ(outcome.words, words);
        EXPECT_LT(bed.took, 10s);
    }
}

TEST(UdpProbe, ReadsTheLargestAnswer) {
    DatagramServer server(
        [](const std::string&) { return Answers{std::string(65'000, 'x') + "end"}; });
    UdpBed bed(server.port());
    bed.target.health.expect = "xend";
    EXPECT_TRUE(bed.run().ok());
}

TEST(UdpProbe, ASourceThatIsNotOursIsSaid) {
    DatagramServer server(echo);
    UdpBed bed(server.port());
    bed.to.source = *Address::parse("192.0.2.1");
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::local);
    EXPECT_EQ(outcome.words, "source 192.0.2.1 is not an address of this host");
}

TEST(UdpProbe, SendsFromItsSource) {
    DatagramServer server(echo);
    UdpBed bed(server.port());
    bed.to.source = *Address::parse("127.0.0.77");
    bed.target.health.expect = "ping";
    EXPECT_TRUE(bed.run().ok());
}

TEST(UdpProbe, CancellationEndsIt) {
    DatagramServer server(silent);
    UdpBed bed(server.port());
    bed.target.health.timeout = 30s;
    for (const auto time : {0us, 100us, 20000us}) {
        bed.run_and_cancel(time);
        EXPECT_LT(bed.took, 15s);
    }
}

}  // namespace
}  // namespace bascule::health
