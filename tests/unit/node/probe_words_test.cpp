// SPDX-License-Identifier: Apache-2.0
#include "node/probe_words.h"

#include <gtest/gtest.h>

#include "dataplane/notes.h"

namespace bascule::node {
namespace {

using health::Failure;
using health::Outcome;

const Address server = Address::parse("10.9.0.21").value();
const Address server_v6 = Address::parse("2001:db8::21").value();
const Outcome silent{Failure::timed_out, "no answer within 500ms", {}, {}};

class ProbeWords : public ::testing::Test {
protected:
    ProbeWords() {
        service_.vip = Address::parse("10.9.0.100").value();
        service_.ports = {80, 80};
    }
    std::optional<Outcome> told(dataplane::ProbeNote note, const Outcome& outcome = silent) const {
        return better_told(note, {service_, server, 80}, outcome);
    }
    std::string words(const dataplane::ProbeNote& note) const {
        const auto outcome = told(note);
        return outcome ? outcome->words : "(nothing)";
    }
    static dataplane::ProbeNote icmp(bsc_probe_event event, unsigned type, unsigned code,
                                     const Address& from = server) {
        dataplane::ProbeNote note;
        note.event = event;
        note.detail = type << 8 | code;
        note.from = from;
        return note;
    }
    static dataplane::ProbeNote seen(bsc_probe_event event, std::uint32_t detail = 0) {
        dataplane::ProbeNote note;
        note.event = event;
        note.detail = detail;
        return note;
    }

    model::ServiceConfig service_;
};

TEST_F(ProbeWords, WhatWasOnlySentSaysNothing) {
    EXPECT_FALSE(told(seen(BSC_PROBE_SENT)));
    dataplane::ProbeNote later;
    later.event = 99;
    EXPECT_FALSE(told(later)) << "of a later engine";
}

// No server is blamed for what this host itself has thrown away.
TEST_F(ProbeWords, WhatTheDataPlaneNeverMetDidNotLeaveThisHost) {
    EXPECT_EQ(words(seen(BSC_PROBE_NOTHING)),
              "the probe did not leave this host: does its own firewall drop what goes out by "
              "bscp0?");
    EXPECT_EQ(told(seen(BSC_PROBE_NOTHING))->failure, Failure::path);
    EXPECT_FALSE(told(seen(BSC_PROBE_NOTHING), {Failure::refused, "refused", {}, {}}));
}

TEST_F(ProbeWords, AnAnswerThatIsWrongIsNotTheWaysFault) {
    for (const Failure failure : {Failure::status, Failure::content, Failure::certificate})
        EXPECT_FALSE(told(seen(BSC_PROBE_BOUNCED), {failure, "HTTP 500", {}, {}}));
}

TEST_F(ProbeWords, ARefusalNamesItsServerAndItsKind) {
    const Outcome refused{Failure::refused, "connection refused by 240.64.0.1", {}, {}};
    const auto outcome = told(seen(BSC_PROBE_ANSWERED, 0x14), refused);
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->failure, Failure::refused);
    EXPECT_EQ(outcome->words, "connection refused by 10.9.0.21 (RST)");
    EXPECT_EQ(words(seen(BSC_PROBE_ANSWERED, 0x12)), silent.words) << "connected, then silent";
}

TEST_F(ProbeWords, EachFaultOfTheWayHasItsWords) {
    EXPECT_EQ(words(seen(BSC_PROBE_BOUNCED)),
              "the probe came back: the server has no VIP on its loopback and forwards");
    auto other = seen(BSC_PROBE_OTHER_PORT);
    other.port = 8080;
    EXPECT_EQ(words(other), "answers from port 8080 instead of 80");
    EXPECT_EQ(words(seen(BSC_PROBE_NOT_SENT, BSC_DROP_NO_NEIGHBOUR)),
              "the probe was not sent: the backend's MAC address is not known");
    EXPECT_EQ(words(seen(BSC_PROBE_NOT_SENT, 9999)),
              "the probe was not sent: the data plane does not know it");
    EXPECT_EQ(told(seen(BSC_PROBE_NOT_SENT, BSC_DROP_NO_NEIGHBOUR))->failure, Failure::path);
}

TEST_F(ProbeWords, IcmpErrorsAreRead) {
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 3, 3)), "port unreachable, says 10.9.0.21 (ICMP)");
    EXPECT_EQ(told(icmp(BSC_PROBE_ICMP, 3, 3))->failure, Failure::refused);
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 3, 1)), "host unreachable, says 10.9.0.21 (ICMP)");
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 3, 13)),
              "administratively prohibited, says 10.9.0.21 (ICMP)");
    EXPECT_EQ(told(icmp(BSC_PROBE_ICMP, 3, 13))->failure, Failure::unreachable);
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 11, 0)), "time to live exceeded, says 10.9.0.21 (ICMP)");
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 3, 77)), "unreachable, code 77, says 10.9.0.21 (ICMP)");
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 1, 4, server_v6)),
              "port unreachable, says 2001:db8::21 (ICMP)");
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 1, 1, server_v6)),
              "administratively prohibited, says 2001:db8::21 (ICMP)");
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 3, 0, server_v6)),
              "hop limit exceeded, says 2001:db8::21 (ICMP)");
}

TEST_F(ProbeWords, AServerThatSpeaksAsTheVipIsNamedByItsOwnAddress) {
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP, 3, 3, service_.vip)),
              "port unreachable, says 10.9.0.21 (ICMP)");
}

TEST_F(ProbeWords, ATunnelThatIsNotTakenApart) {
    service_.forward = model::Forward::ipip;
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP_OUTER, 3, 2)),
              "protocol 4 unreachable, says 10.9.0.21: the tunnel is not taken apart there");
    EXPECT_EQ(told(icmp(BSC_PROBE_ICMP_OUTER, 3, 2))->failure, Failure::unreachable);
    service_.vip = Address::parse("2001:db8::100").value();
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP_OUTER, 4, 1, server_v6)),
              "protocol 41 unreachable, says 2001:db8::21: the tunnel is not taken apart there");
    service_.forward = model::Forward::gue;
    service_.gue_port = 6080;
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP_OUTER, 3, 3)),
              "UDP port 6080 unreachable, says 10.9.0.21: the tunnel is not taken apart there");
    EXPECT_EQ(words(icmp(BSC_PROBE_ICMP_OUTER, 3, 1)),
              "host unreachable, says 10.9.0.21 of the tunnel (ICMP)");
}

TEST_F(ProbeWords, WhatExplainedAProbeExplainsTheSilentOnesAfterIt) {
    Explanation explanation;
    const Explanation::Time start{};
    const auto at = [&](std::chrono::milliseconds when,
                        const std::optional<dataplane::ProbeNote>& note, bool good_before = false,
                        const Outcome& outcome = silent) {
        const auto told = explanation.of(note, {service_, server, 80}, outcome, good_before,
                                         start + std::chrono::hours(1) + when);
        return told ? told->words : "(nothing)";
    };
    using namespace std::chrono_literals;
    const std::string refused = "port unreachable, says 10.9.0.21 (ICMP)";
    EXPECT_EQ(at(0ms, seen(BSC_PROBE_SENT)), "(nothing)");
    EXPECT_EQ(at(1s, icmp(BSC_PROBE_ICMP, 3, 3)), refused);
    EXPECT_EQ(at(2s, seen(BSC_PROBE_SENT)), refused) << "a second ICMP error was not sent";
    EXPECT_EQ(at(3s, std::nullopt), refused);
    EXPECT_EQ(at(4s, seen(BSC_PROBE_SENT), false, {Failure::local, "no port", {}, {}}),
              "(nothing)");
    EXPECT_EQ(at(60s, seen(BSC_PROBE_SENT)), refused);
    EXPECT_EQ(at(61s, seen(BSC_PROBE_SENT)), "(nothing)") << "that was long ago";

    EXPECT_EQ(at(70s, icmp(BSC_PROBE_ICMP, 3, 3)), refused);
    EXPECT_EQ(at(71s, seen(BSC_PROBE_SENT), true), "(nothing)") << "it was well in between";
    EXPECT_EQ(at(72s, icmp(BSC_PROBE_ICMP_OUTER, 3, 1)),
              "host unreachable, says 10.9.0.21 of the tunnel (ICMP)");
    EXPECT_EQ(at(73s, seen(BSC_PROBE_ANSWERED, 0x12)), silent.words);
    EXPECT_EQ(at(74s, seen(BSC_PROBE_SENT)), "(nothing)") << "the way was fine";
    EXPECT_EQ(at(75s, icmp(BSC_PROBE_ICMP, 3, 3)), refused);
    EXPECT_EQ(at(76s, seen(BSC_PROBE_BOUNCED)).rfind("the probe came back", 0), 0);
    EXPECT_EQ(at(77s, seen(BSC_PROBE_SENT)), "(nothing)") << "something else came of it";
}

}  // namespace
}  // namespace bascule::node
