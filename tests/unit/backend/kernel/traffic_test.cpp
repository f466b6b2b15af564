// SPDX-License-Identifier: Apache-2.0
// Real clients and servers: every way to the server, and what comes back. Their kernels verify the
// checksums.
#include "traffic.h"

#include <netinet/in.h>

#include <cerrno>

namespace bascule::test {
namespace {

class EveryWay : public Traffic, public testing::WithParamInterface<std::tuple<Way, bool>> {
protected:
    Way way() const { return std::get<0>(GetParam()); }
    bool v4() const { return std::get<1>(GetParam()); }

    void SetUp() override {
        Traffic::SetUp();
        ASSERT_NO_FATAL_FAILURE(start(config("[\"l2\", \"ipip\", \"gue\"]")));
        start_balancer(way());
    }
};

INSTANTIATE_TEST_SUITE_P(Ways, EveryWay,
                         testing::Combine(testing::Values(Way{"l2", true}, Way{"ipip", true},
                                                          Way{"ipip", false}, Way{"gue", true},
                                                          Way{"gue", false}),
                                          testing::Bool()),
                         [](const auto& test) {
                             return name_of(std::get<0>(test.param)) +
                                    (std::get<1>(test.param) ? "_v4" : "_v6");
                         });

TEST_P(EveryWay, UdpIsAnsweredFromTheServicesPort) {
    const Socket server = Socket::udp(vip(v4()), server_port);
    const Socket client = client_udp(v4());
    // Connected: its kernel lets only answers from that very address and port through.
    ASSERT_EQ(client.connect(vip(v4()), service_port), 0);
    client.send("question");
    const auto asked = server.receive();
    ASSERT_EQ(asked.text, "question") << command("status").output;
    EXPECT_EQ(asked.from, Traffic::client(v4()));
    // An answer in fragments, of which the first alone has ports.
    const std::string answer(5000, 'a');
    server.send_to("short", asked.from, asked.port);
    EXPECT_EQ(client.receive().text, "short");
    server.send_to(answer, asked.from, asked.port);
    EXPECT_EQ(client.receive().text, answer);
    EXPECT_EQ(counter("port_restored"), 2U);
}

TEST_P(EveryWay, TcpCarriesBothWays) {
    const Socket listener = Socket::listener(vip(v4()), server_port);
    const Socket client = client_tcp(v4());
    ASSERT_EQ(client.connect(vip(v4()), service_port), 0) << command("status").output;
    const Socket server = listener.accept();
    ASSERT_TRUE(server.is_open());
    // Of the largest tunnel that the VIP may be reached by, whichever this one is.
    EXPECT_LE(client.mss(), 1500 - 48 - (v4() ? 40 : 60));
    EXPECT_EQ(counter("mss_clamped"), 1U);
    std::string text;
    for (int i = 0; text.size() < 200'000; ++i)
        text += std::to_string(i);
    client.send(text);
    EXPECT_EQ(server.receive_all(text.size()), text);
    server.send(text);
    EXPECT_EQ(client.receive_all(text.size()), text);
}

TEST_P(EveryWay, AnErrorOfTheServerReachesTheClientsSocket) {
    const Socket client = client_udp(v4());
    ASSERT_EQ(client.connect(vip(v4()), service_port), 0);
    client.send("nobody is there");
    // The kernel finds the socket by the ports that the error quotes, and checks its checksum.
    EXPECT_EQ(client.receive().error, ECONNREFUSED) << command("status").output;
    EXPECT_EQ(counter("icmp_restored"), 1U);
}

class Traffics : public Traffic {};

TEST_F(Traffics, ARefusedConnectionIsToldFromTheServicesPort) {
    ASSERT_NO_FATAL_FAILURE(start(config("[\"ipip\"]")));
    start_balancer({"ipip", true});
    for (const bool v4 : {true, false})
        EXPECT_EQ(client_tcp(v4).connect(vip(v4), service_port), ECONNREFUSED);
}

// Made into one, it would be a wrong one.
TEST_F(Traffics, AnAnswerWithoutAChecksumStaysWithoutOne) {
    ASSERT_NO_FATAL_FAILURE(start(config("[\"l2\"]")));
    start_balancer({"l2", true});
    const Socket server = Socket::udp(vip(true), server_port);
    server.without_checksums();
    const Socket client = client_udp(true);
    ASSERT_EQ(client.connect(vip(true), service_port), 0);
    client.send("question");
    const auto asked = server.receive();
    server.send_to("answer", asked.from, asked.port);
    EXPECT_EQ(client.receive().text, "answer");
    EXPECT_EQ(counter("port_restored"), 1U);
}

TEST_F(Traffics, AFixedMssIsKept) {
    ASSERT_NO_FATAL_FAILURE(start(config("[\"ipip\"]", "mss_clamp = 700")));
    start_balancer({"ipip", true});
    const Socket listener = Socket::listener(vip(true), server_port);
    const Socket client = client_tcp(true);
    ASSERT_EQ(client.connect(vip(true), service_port), 0);
    EXPECT_LE(client.mss(), 700);
    EXPECT_GT(client.mss(), 600);
}

TEST_F(Traffics, WithoutAClampTheMssStays) {
    ASSERT_NO_FATAL_FAILURE(start(config("[\"ipip\"]", "mss_clamp = 0")));
    start_balancer({"ipip", true});
    const Socket listener = Socket::listener(vip(true), server_port);
    const Socket client = client_tcp(true);
    ASSERT_EQ(client.connect(vip(true), service_port), 0);
    EXPECT_GT(client.mss(), 1412);
    EXPECT_EQ(counter("mss_clamped"), 0U);
}

// What the NIC is to cut into segments and to put checksums on still is.
TEST_F(Traffics, SegmentationIsStillTheNics) {
    ASSERT_NO_FATAL_FAILURE(start(config("[\"l2\"]")));
    must("ethtool -K eth0 tx on tso on gso on >/dev/null");
    start_balancer({"l2", true});
    for (const bool v4 : {true, false}) {
        const Socket listener = Socket::listener(vip(v4), server_port);
        const Socket client = client_tcp(v4);
        ASSERT_EQ(client.connect(vip(v4), service_port), 0);
        const Socket server = listener.accept();
        const std::uint64_t before = counter("port_restored");
        const std::string text(200'000, 'x');
        constexpr int rounds = 20;
        for (int i = 0; i < rounds; ++i) {
            server.send(text);
            EXPECT_EQ(client.receive_all(text.size()), text);
        }
        const std::uint64_t packets = counter("port_restored") - before;
        EXPECT_GT(packets, 0U);
        EXPECT_LT(packets, rounds * text.size() / 1448 / 2);
    }
}

}  // namespace
}  // namespace bascule::test
