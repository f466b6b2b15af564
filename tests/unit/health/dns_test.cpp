// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/unit/health/datagram_server.h"
#include "tests/unit/health/dns_packets.h"
#include "tests/unit/health/hostile_server.h"
#include "tests/unit/health/probe_bed.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;
using Answers = std::vector<std::string>;

const std::string ipv4("\x0a\x09\x00\x15", 4);
constexpr unsigned type_a = 1;

class DnsBed : public ProbeBed {
public:
    explicit DnsBed(std::uint16_t port) : ProbeBed(make_dns_probe, model::ProbeType::dns, port) {
        target.protocol = model::Protocol::udp;
        target.health.dns_name = "www.example";
        target.health.timeout = 20s;
    }
};

std::string good_answer(const std::string& query) {
    return answer_to(query).record(pointer(at_question), type_a, ipv4).bytes();
}

// What the probe says of a server that answers every query like this.
Outcome probe(
    const std::function<Answers(const std::string&)>& answer,
    const std::function<void(DnsBed&)>& prepare = [](DnsBed&) {}) {
    DatagramServer server(answer);
    DnsBed bed(server.port());
    prepare(bed);
    return bed.run();
}

TEST(DnsProbe, AnAnswerIsGood) {
    const Outcome outcome =
        probe([](const std::string& query) { return Answers{good_answer(query)}; });
    EXPECT_TRUE(outcome.ok());
    EXPECT_EQ(outcome.words, "DNS NOERROR, 10.9.0.21");
}

TEST(DnsProbe, AsksForItsNameAndTypeWithAnIdThatChanges) {
    Answers seen;
    DatagramServer server([&](const std::string& query) {
        seen.push_back(query);
        return Answers{good_answer(query)};
    });
    DnsBed bed(server.port());
    bed.target.health.dns_type = "MX";
    for (int i = 0; i < 4; ++i)
        EXPECT_EQ(bed.run().words, "DNS NOERROR, no MX records");
    ASSERT_EQ(seen.size(), 4u);
    EXPECT_EQ(seen[0].substr(12), labels("www.example") + be16(15) + be16(1));
    EXPECT_FALSE(seen[0].substr(0, 2) == seen[1].substr(0, 2) &&
                 seen[0].substr(0, 2) == seen[2].substr(0, 2) &&
                 seen[0].substr(0, 2) == seen[3].substr(0, 2));
}

TEST(DnsProbe, AnotherRcodeIsAFailure) {
    const auto fails = [](const std::string& query) {
        auto message = answer_to(query);
        message.flags |= 2;
        return Answers{message.bytes()};
    };
    Outcome outcome = probe(fails);
    EXPECT_EQ(outcome.failure, Failure::status);
    EXPECT_EQ(outcome.words, "DNS SERVFAIL");
    outcome = probe(fails, [](DnsBed& bed) { bed.target.health.dns_rcode = "SERVFAIL"; });
    EXPECT_TRUE(outcome.ok()) << outcome.words;
    outcome = probe(fails, [](DnsBed& bed) { bed.target.health.dns_rcode = "NXDOMAIN"; });
    EXPECT_EQ(outcome.words, "DNS SERVFAIL instead of NXDOMAIN");
}

TEST(DnsProbe, TheExpectedAnswerMustBeThere) {
    const auto good = [](const std::string& query) {
        return Answers{answer_to(query)
                           .record(pointer(at_question), type_a, std::string("\x0a\x09\x00\x14", 4))
                           .record(pointer(at_question), type_a, ipv4)
                           .bytes()};
    };
    EXPECT_TRUE(probe(good, [](DnsBed& bed) { bed.target.health.dns_answer = "10.9.0.21"; }).ok());
    const Outcome outcome =
        probe(good, [](DnsBed& bed) { bed.target.health.dns_answer = "10.9.0.99"; });
    EXPECT_EQ(outcome.failure, Failure::content);
    EXPECT_EQ(outcome.words, "DNS answer lacks \"10.9.0.99\", 10.9.0.20 and 1 more");
}

TEST(DnsProbe, AnswersWithAnotherIdAreIgnored) {
    Outcome outcome = probe([](const std::string& query) {
        auto forged = answer_to(query);
        forged.id ^= 1;
        forged.flags |= 2;
        return Answers{forged.bytes(), "", "x", good_answer(query)};
    });
    EXPECT_TRUE(outcome.ok()) << outcome.words;

    outcome = probe(
        [](const std::string& query) {
            auto forged = answer_to(query);
            forged.id ^= 1;
            return Answers{forged.bytes(), ""};
        },
        [](DnsBed& bed) { bed.target.health.timeout = 300ms; });
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words, "no answer within 300ms, but 2 with another id");
}

TEST(DnsProbe, AFloodOfOtherIdsEndsIt) {
    const Outcome outcome = probe([](const std::string&) { return Answers(200, "xyz"); });
    EXPECT_EQ(outcome.failure, Failure::protocol);
    EXPECT_EQ(outcome.words, "answers with another id only, 64 and more");
}

TEST(DnsProbe, SilenceIsAFailure) {
    const Outcome outcome = probe([](const std::string&) { return Answers{}; },
                                  [](DnsBed& bed) { bed.target.health.timeout = 300ms; });
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words, "no answer within 300ms");
}

TEST(DnsProbe, NobodyListening) {
    const auto port = DatagramServer([](const std::string&) { return Answers{}; }).port();
    DnsBed bed(port);
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::refused);
    EXPECT_EQ(outcome.words, "refused by 127.0.0.1 (ICMP port unreachable)");
}

TEST(DnsProbe, GarbageIsAProtocolFailure) {
    const std::vector<std::pair<std::function<std::string(const std::string&)>, std::string>> all{
        {[](const std::string& query) { return query; },
         "DNS: a question came back, not an answer"},
        {[](const std::string& query) { return query.substr(0, 2); }, "DNS: an answer of 2 bytes"},
        {[](const std::string& query) {
             auto message = answer_to(query);
             message.body = labels("another.example") + be16(1) + be16(1);
             return message.bytes();
         },
         "DNS: an answer to another question"},
        {[](const std::string& query) {
             return query.substr(0, 2) + be16(0x8180) + std::string(1000, '\xff');
         },
         "DNS: an answer with 65535 questions"},
        {[](const std::string& query) {
             return answer_to(query).record(pointer(at_question), type_a, "xyz").bytes();
         },
         "DNS: broken record 1 in the answer"},
    };
    for (const auto& [make, words] : all) {
        const Outcome outcome =
            probe([&make = make](const std::string& query) { return Answers{make(query)}; });
        EXPECT_EQ(outcome.failure, Failure::protocol);
        EXPECT_EQ(outcome.words, words);
    }
}

// ---- TCP ----

// A server that answers each query by TCP, in pieces.
auto tcp_server(const std::function<std::string(const std::string&)>& answer) {
    return [answer](const Client& client) {
        std::string query;
        while (query.size() < 2 || query.size() < 2u + static_cast<unsigned char>(query[1])) {
            const auto more = client.receive();
            if (more.empty()) return;
            query += more;
        }
        const std::string reply = answer(query.substr(2));
        client.send(reply.substr(0, 1));
        client.sleep(20ms);
        client.send(reply.substr(1, 5));
        client.sleep(20ms);
        client.send(reply.substr(std::min<std::size_t>(6, reply.size())));
        client.wait_for_close();
    };
}

std::string with_length(const std::string& message) {
    return be16(static_cast<unsigned>(message.size())) + message;
}

TEST(DnsProbe, OfATcpServiceByTcp) {
    HostileServer server(
        tcp_server([](const std::string& query) { return with_length(good_answer(query)); }));
    DnsBed bed(server.port());
    bed.target.protocol = model::Protocol::tcp;
    bed.target.health.dns_answer = "10.9.0.21";
    for (int i = 0; i < 2; ++i) {
        const Outcome outcome = bed.run();
        EXPECT_TRUE(outcome.ok()) << outcome.words;
        EXPECT_EQ(outcome.words, "DNS NOERROR, 10.9.0.21");
    }
}

TEST(DnsProbe, HostileTcpServers) {
    const auto run = [](const HostileServer::Serve& serve) {
        HostileServer server(serve);
        DnsBed bed(server.port());
        bed.target.protocol = model::Protocol::tcp;
        bed.target.health.timeout = 500ms;
        return bed.run();
    };
    EXPECT_EQ(run([](const Client&) {}).failure, Failure::closed);
    Outcome outcome = run([](const Client& client) { client.wait_for_close(); });
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words, "connected, no answer within 500ms");
    outcome = run(tcp_server([](const std::string&) { return std::string("\0\4abcd", 6); }));
    EXPECT_EQ(outcome.words, "an answer with another id");
    outcome = run(tcp_server([](const std::string&) { return std::string(2, '\0'); }));
    EXPECT_EQ(outcome.words, "an answer with another id");
    outcome = run(tcp_server([](const std::string& query) {
        return be16(65535) + good_answer(query);  // and never the rest
    }));
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    outcome = run([](const Client& client) {
        while (client.send(std::string(65536, '\xff'))) {
        }
    });
    EXPECT_EQ(outcome.failure, Failure::protocol);
}

TEST(DnsProbe, WhatIsCutOffIsAskedForByTcp) {
    const auto whole = [](const std::string& query) { return with_length(good_answer(query)); };
    HostileServer tcp(tcp_server(whole));
    DatagramServer udp(
        [](const std::string& query) {
            auto message = answer_to(query);
            message.flags |= 0x0200;
            return Answers{message.bytes()};
        },
        AF_INET, tcp.port());
    DnsBed bed(tcp.port());
    bed.target.health.dns_answer = "10.9.0.21";
    const Outcome outcome = bed.run();
    EXPECT_TRUE(outcome.ok()) << outcome.words;
    EXPECT_EQ(tcp.connections(), 1);

    DnsBed other(tcp.port());
    other.target.health.dns_answer = "10.9.0.22";
    EXPECT_EQ(other.run().words,
              "truncated answer, and by TCP: DNS answer lacks \"10.9.0.22\", 10.9.0.21");

    DnsBed any(tcp.port());  // whose answer nobody looks at: no need to ask again
    EXPECT_TRUE(any.run().ok());
    EXPECT_EQ(tcp.connections(), 2);
}

TEST(DnsProbe, CutOffAndNoTcp) {
    const Outcome outcome = probe(
        [](const std::string& query) {
            auto message = answer_to(query);
            message.flags |= 0x0200;
            return Answers{message.bytes()};
        },
        [](DnsBed& bed) { bed.target.health.dns_answer = "10.9.0.22"; });
    EXPECT_EQ(outcome.failure, Failure::refused);
    EXPECT_EQ(outcome.words, "truncated answer, and by TCP: connection refused by 127.0.0.1 (RST)");
}

TEST(DnsProbe, CancellationEndsIt) {
    DatagramServer server([](const std::string&) { return Answers{}; });
    DnsBed bed(server.port());
    for (const auto time : {0us, 100us, 20000us}) {
        bed.run_and_cancel(time);
        EXPECT_LT(bed.took, 15s);
    }
}

}  // namespace
}  // namespace bascule::health
