// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "hostile_server.h"
#include "probe_bed.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;

// Far above what a deadline may be missed by on a busy machine, far below "not at all".
constexpr auto patience = 4s;

class TcpBed : public ProbeBed {
public:
    explicit TcpBed(std::uint16_t port) : ProbeBed(make_tcp_probe, model::ProbeType::tcp, port) {}
};

// A port that nobody listens on: one that was given and closed again.
std::uint16_t free_port() {
    return HostileServer([](const Client&) {}).port();
}

TEST(TcpProbe, connects) {
    HostileServer server([](const Client& client) { client.wait_for_close(); });
    TcpBed bed(server.port());
    for (int i = 0; i < 3; ++i) {
        const Outcome outcome = bed.run();
        EXPECT_TRUE(outcome.ok()) << outcome.words;
        EXPECT_EQ(outcome.words, "connected");
    }
}

TEST(TcpProbe, says_that_a_port_is_closed) {
    TcpBed bed(free_port());
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::refused);
    EXPECT_EQ(outcome.words, "connection refused by 127.0.0.1 (RST)");
}

TEST(TcpProbe, names_the_backend_and_not_the_made_up_address) {
    TcpBed bed(free_port());
    bed.target.health.via = model::Via::vip;
    bed.target.backend = *Address::parse("10.9.0.21");
    EXPECT_EQ(bed.run().words, "connection refused by 10.9.0.21 (RST)");
}

TEST(TcpProbe, sends_from_its_source) {
    std::atomic<std::uint32_t> seen{0};
    HostileServer server([&](const Client& client) {
        sockaddr_in peer{};
        socklen_t length = sizeof peer;
        getpeername(client.fd(), reinterpret_cast<sockaddr*>(&peer), &length);
        seen = ntohl(peer.sin_addr.s_addr);
        client.send("x");
        client.wait_for_close();
    });
    TcpBed bed(server.port());
    bed.target.health.expect = "x";
    bed.to.source = *Address::parse("127.0.0.99");
    EXPECT_TRUE(bed.run().ok());
    EXPECT_EQ(seen, 0x7f000063u);
}

TEST(TcpProbe, says_that_its_source_is_no_address_of_this_host) {
    TcpBed bed(free_port());
    bed.to.source = *Address::parse("192.0.2.1");
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::local);
    EXPECT_EQ(outcome.words, "source 192.0.2.1 is not an address of this host");
}

TEST(TcpProbe, says_that_there_is_no_way) {
    TcpBed bed(80);
    bed.to.address = *Address::parse("127.0.0.1");
    bed.to.source = *Address::parse("127.0.0.1");
    bed.to.address = *Address::parse("224.0.0.1");
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::unreachable) << outcome.words;
    EXPECT_NE(outcome.words.find("224.0.0.1 cannot be reached: "), std::string::npos)
        << outcome.words;
}

TEST(TcpProbe, ends_by_reset_and_leaves_no_time_wait) {
    std::atomic<int> error{-1};
    HostileServer server([&](const Client& client) {
        char byte = 0;
        error = ::recv(client.fd(), &byte, 1, 0) < 0 ? errno : 0;
    });
    TcpBed bed(server.port());
    EXPECT_TRUE(bed.run().ok());
    for (int i = 0; i < 400 && error < 0; ++i)
        std::this_thread::sleep_for(10ms);
    EXPECT_EQ(error, ECONNRESET);
}

TEST(TcpProbe, gives_up_where_nothing_answers) {
    // A listener whose queue is full answers no SYN.
    const int full = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* name = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(full, name, length), 0);
    ASSERT_EQ(::listen(full, 0), 0);
    ASSERT_EQ(::getsockname(full, name, &length), 0);
    std::vector<int> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        ::connect(fillers.back(), name, length);
    }
    TcpBed bed(ntohs(address.sin_port));
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words, "no connection within 400ms");
    EXPECT_GE(bed.took, 390ms);
    EXPECT_LT(bed.took, patience);
    for (const int fd : fillers)
        ::close(fd);
    ::close(full);
}

TEST(TcpProbe, finds_what_it_expects) {
    HostileServer server([](const Client& client) {
        if (client.receive() == "PING\r\n") client.send("+PO");
        client.sleep(30ms);
        client.send("NG\r\n");
        client.wait_for_close();
    });
    TcpBed bed(server.port());
    bed.target.health.send = "PING\r\n";
    bed.target.health.expect = "+PONG";
    const Outcome outcome = bed.run();
    EXPECT_TRUE(outcome.ok()) << outcome.words;
    EXPECT_EQ(outcome.words, "answered");
}

TEST(TcpProbe, finds_a_regular_expression) {
    HostileServer server([](const Client& client) {
        client.send("220 mail.example ESMTP ready\r\n");
        client.wait_for_close();
    });
    TcpBed bed(server.port());
    bed.target.health.expect_regex = "^220 .* ready";
    EXPECT_TRUE(bed.run().ok());
}

TEST(TcpProbe, says_what_came_instead) {
    HostileServer server([](const Client& client) { client.send("-ERR loading\r\n"); });
    TcpBed bed(server.port());
    bed.target.health.expect = "+PONG";
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::content);
    EXPECT_EQ(outcome.words, "answer \"-ERR loading..\" lacks \"+PONG\"");
}

TEST(TcpProbe, says_that_a_server_accepts_and_never_answers) {
    HostileServer server([](const Client& client) { client.wait_for_close(); });
    TcpBed bed(server.port());
    bed.target.health.expect = "+PONG";
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words, "connected, no answer within 400ms");
    EXPECT_LT(bed.took, patience);
}

TEST(TcpProbe, says_that_a_server_closes_or_resets_without_an_answer) {
    for (const bool reset : {false, true}) {
        HostileServer server([reset](const Client& client) {
            if (reset) client.reset_on_close();
        });
        TcpBed bed(server.port());
        bed.target.health.expect = "+PONG";
        const Outcome outcome = bed.run();
        EXPECT_EQ(outcome.failure, Failure::closed) << outcome.words;
    }
}

TEST(TcpProbe, reads_no_more_than_its_bound) {
    HostileServer server([](const Client& client) {
        const std::string block(65536, 'x');
        while (client.send(block)) {
        }
    });
    TcpBed bed(server.port());
    bed.target.health.expect_regex = "y+z";
    bed.target.health.timeout = 3s;
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::too_big) << outcome.words;
    EXPECT_EQ(outcome.words, "answer of more than 65536 bytes does not match \"y+z\"");
}

TEST(TcpProbe, is_not_held_up_by_single_bytes) {
    HostileServer server([](const Client& client) {
        while (client.send("x"))
            client.sleep(50ms);
    });
    TcpBed bed(server.port());
    bed.target.health.expect = "xy";
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_NE(outcome.words.find(" lacks \"xy\" within 400ms"), std::string::npos) << outcome.words;
    EXPECT_LT(bed.took, patience);
}

TEST(TcpProbe, says_that_a_server_does_not_take_what_is_sent) {
    HostileServer server([](const Client& client) {
        while (!client.over())
            client.sleep(20ms);
    });
    TcpBed bed(server.port());
    bed.target.health.send = std::string(32 << 20, 'x');
    const Outcome outcome = bed.run();
    EXPECT_EQ(outcome.failure, Failure::timed_out);
    EXPECT_EQ(outcome.words, "connected, not all taken within 400ms");
}

TEST(TcpProbe, ends_at_once_when_it_is_cancelled) {
    HostileServer server([](const Client& client) { client.wait_for_close(); });
    TcpBed bed(server.port());
    bed.target.health.expect = "+PONG";
    bed.target.health.timeout = 60s;
    for (const auto after : {0us, 10us, 100us, 1000us, 20'000us}) {
        bed.run_and_cancel(after);
        EXPECT_LT(bed.took, 10s);
    }
    bed.target.health.timeout = 300ms;
    EXPECT_EQ(bed.run().failure, Failure::timed_out);  // and can be run again
}

TEST(TcpProbe, keeps_no_descriptor) {
    const auto open_files = [] { return ::dup(0); };  // the lowest free one
    HostileServer server([](const Client& client) {
        if (client.number() % 2 == 0) client.send("no");
    });
    TcpBed bed(server.port());
    bed.target.health.expect = "yes";
    bed.run();
    std::this_thread::sleep_for(100ms);
    const int before = open_files();
    ::close(before);
    for (int i = 0; i < 200; ++i)
        bed.run();
    std::this_thread::sleep_for(300ms);
    const int after = open_files();
    ::close(after);
    EXPECT_LT(after, before + 50);
}

}  // namespace
}  // namespace bascule::health
