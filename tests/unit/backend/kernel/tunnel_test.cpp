// SPDX-License-Identifier: Apache-2.0
// Which tunnels end at a server, which do not, and what is counted: made packets, and a socket that
// hears of them or not.
#include <bpf/bpf.h>
#include <net/if.h>

#include "backend/hooks.h"
#include "traffic.h"

namespace bascule::test {
namespace {

using backend::Bytes;

constexpr std::uint16_t port = 7000;
constexpr std::uint16_t gue_port = 6080;

// IPv4 with its checksum made anew.
Bytes with_checksum(Bytes packet) {
    packet[10] = packet[11] = 0;
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < (packet[0] & 15U) * 4U; i += 2)
        sum += static_cast<std::uint32_t>(packet[i] << 8 | packet[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    packet[10] = static_cast<std::uint8_t>(~sum >> 8);
    packet[11] = static_cast<std::uint8_t>(~sum);
    return packet;
}

Bytes with_ecn(Bytes packet, int ecn) {
    if (packet[0] >> 4 == 4) {
        packet[1] = static_cast<std::uint8_t>((packet[1] & ~3) | ecn);
        return with_checksum(packet);
    }
    packet[1] = static_cast<std::uint8_t>((packet[1] & ~0x30) | ecn << 4);
    return packet;
}

class Tunnels : public Traffic {
protected:
    void begin(const std::string& forward) {
        ASSERT_NO_FATAL_FAILURE(start(config(forward)));
        socket_ = std::make_unique<Socket>(Socket::udp(vip(true), port));
    }
    static Bytes inner(const std::string& text, const Address& destination) {
        const bool v4 = destination.is_v4();
        const Bytes payload(text.begin(), text.end());
        return backend::udp_packet({client(v4), destination, 4000, port}, payload);
    }
    static Bytes inner(const std::string& text) { return inner(text, vip(true)); }
    static Bytes ipip(const Bytes& packet) {
        return backend::in_ip(ip(balancer4), ip(server4), packet);
    }
    static Bytes gue(const Bytes& packet) {
        return backend::in_gue(ip(balancer4), ip(server4), gue_port, packet);
    }

    // Sends it, then one that does arrive: what came first is what came of it.
    bool arrives(const Bytes& packet) {
        send_packet(packet);
        send_packet(inner("after"));
        const auto first = socket_->receive();
        if (first.text == "after") return false;
        EXPECT_EQ(socket_->receive().text, "after");
        return first.text == "it";
    }
    ::testing::AssertionResult is_dropped(const Bytes& packet, const std::string& why) {
        const std::uint64_t before = counter(why);
        if (arrives(packet)) return ::testing::AssertionFailure() << "arrived";
        if (counter(why) != before + 1)
            return ::testing::AssertionFailure() << "not counted: " << command("status").output;
        return ::testing::AssertionSuccess();
    }

    std::unique_ptr<Socket> socket_;
};

TEST_F(Tunnels, OnlyFromBalancers) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\", \"gue\"]"));
    EXPECT_TRUE(arrives(ipip(inner("it"))));
    EXPECT_TRUE(arrives(gue(inner("it"))));
    for (const char* stranger : {"10.9.0.3", "198.51.100.7"}) {
        EXPECT_TRUE(
            is_dropped(backend::in_ip(ip(stranger), ip(server4), inner("it")), "unknown_balancer"));
        EXPECT_TRUE(is_dropped(backend::in_gue(ip(stranger), ip(server4), gue_port, inner("it")),
                               "unknown_balancer"));
    }
    // The configuration has a prefix of two addresses.
    EXPECT_TRUE(arrives(backend::in_ip(ip("fd00:9::3"), ip(server6), inner("it"))));
    EXPECT_TRUE(
        is_dropped(backend::in_ip(ip("fd00:9::4"), ip(server6), inner("it")), "unknown_balancer"));
}

TEST_F(Tunnels, OnlyByTheWaysThatTheVipHas) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"gue\"]"));
    EXPECT_TRUE(is_dropped(ipip(inner("it")), "other_mode"));
    EXPECT_TRUE(arrives(gue(inner("it"))));
}

TEST_F(Tunnels, WhatIsForNoVipIsLinuxs) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\", \"gue\"]"));
    const Socket own = Socket::udp(ip(server4), port);
    EXPECT_FALSE(arrives(ipip(inner("it", ip(server4)))));
    EXPECT_EQ(counter("inner_not_vip"), 1U);
    // A server of this host on the very port of GUE still hears what is no tunnel of a balancer.
    const Socket on_gue_port = Socket::udp(ip(server4), gue_port);
    send_packet(
        backend::udp_packet({ip("10.9.0.3"), ip(server4), 4000, gue_port}, Bytes{'h', 'i'}));
    EXPECT_EQ(on_gue_port.receive().text, "hi");
    EXPECT_EQ(own.receive(0).error, EAGAIN);
}

TEST_F(Tunnels, WhatIsForAnotherHostIsLinuxs) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\"]"));
    EXPECT_FALSE(arrives(backend::in_ip(ip(balancer4), ip("10.9.0.77"), inner("it"))));
    EXPECT_EQ(counter("other_host"), 1U);
    // An address that the host gets later is its own, too.
    must("ip addr add 10.9.0.77/24 dev eth0");
    EXPECT_TRUE(eventually(
        [&] { return arrives(backend::in_ip(ip(balancer4), ip("10.9.0.77"), inner("it"))); }));
}

// No balancer sends a tunnel to a VIP: it would be a client's packet, who says he is a balancer.
TEST_F(Tunnels, WhatAClientSendsToTheVipIsNoTunnel) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"l2\", \"ipip\", \"gue\"]"));
    const Socket on_gue_port = Socket::udp(vip(true), gue_port);
    const Bytes sent = inner("it");
    EXPECT_FALSE(arrives(backend::in_gue(ip(balancer4), vip(true), gue_port, sent)));
    EXPECT_EQ(on_gue_port.receive().text, std::string(sent.begin(), sent.end()));
    EXPECT_FALSE(arrives(backend::in_ip(ip(balancer4), vip(true), sent)));
    EXPECT_EQ(counter("other_host"), 2U);
}

TEST_F(Tunnels, CutShort) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\", \"gue\"]"));
    Bytes longer = inner("it");
    longer[3] = static_cast<std::uint8_t>(longer[3] + 1);
    EXPECT_TRUE(is_dropped(ipip(with_checksum(longer)), "truncated"));
    EXPECT_TRUE(is_dropped(gue(with_checksum(longer)), "truncated"));
    EXPECT_TRUE(is_dropped(ipip(Bytes{0x45, 0, 0, 28}), "truncated"));
    EXPECT_TRUE(is_dropped(gue(Bytes{0x45}), "gue_header"));
}

TEST_F(Tunnels, GueHeaders) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"gue\"]"));
    const auto behind = [](Bytes header, const Bytes& packet) {
        header.insert(header.end(), packet.begin(), packet.end());
        return header;
    };
    EXPECT_TRUE(arrives(gue(behind({0, 4, 0, 0}, inner("it")))));
    EXPECT_TRUE(is_dropped(gue(behind({0, 4, 0x80, 0}, inner("it"))), "gue_header"));  // flags
    EXPECT_TRUE(is_dropped(gue(behind({1, 4, 0, 0}, inner("it"))), "gue_header"));     // longer
    EXPECT_TRUE(is_dropped(gue(behind({0x20, 4, 0, 0}, inner("it"))), "gue_header"));  // control
    EXPECT_TRUE(is_dropped(gue(behind({0x80, 4, 0, 0}, inner("it"))), "gue_header"));  // version 2
    EXPECT_TRUE(is_dropped(gue(behind({0, 41, 0, 0}, inner("it"))), "truncated"));     // not IPv6
}

TEST_F(Tunnels, FragmentsOfATunnel) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\"]"));
    Bytes first = ipip(inner("it"));
    first[6] = 0x20;  // more fragments
    EXPECT_TRUE(is_dropped(with_checksum(first), "outer_fragment"));
    Bytes later = ipip(inner("it"));
    later[6] = 0;
    later[7] = 8;  // an offset
    EXPECT_TRUE(is_dropped(with_checksum(later), "outer_fragment"));
}

TEST_F(Tunnels, OptionsInTheOuterHeader) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\"]"));
    Bytes packet = ipip(inner("it"));
    packet.insert(packet.begin() + 20, {1, 1, 1, 1});
    packet[0] = 0x46;
    packet[3] = static_cast<std::uint8_t>(packet[3] + 4);
    EXPECT_TRUE(arrives(with_checksum(packet)));
}

// What the program on the interface makes of a frame.
Bytes unwrapped(const std::string& pin, Bytes frame) {
    const Descriptor program(
        bpf_prog_get_fd_by_id(backend::xdp_program(pin, ::if_nametoindex("eth0"))));
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    Bytes result(frame.size());
    options.data_out = result.data();
    options.data_size_out = static_cast<std::uint32_t>(result.size());
    EXPECT_EQ(bpf_prog_test_run_opts(program.get(), &options), 0);
    EXPECT_EQ(options.retval, static_cast<std::uint32_t>(XDP_PASS));
    result.resize(options.data_size_out);
    return result;
}

TEST_F(Tunnels, TagsOfTheFrameStay) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\"]"));
    for (const bool v4 : {true, false}) {
        const Bytes packet = inner("with tags", vip(v4));
        const Bytes outer = ipip(packet);
        for (const Bytes& tags :
             {Bytes{}, Bytes{0x81, 0, 0x20, 100}, Bytes{0x88, 0xa8, 0, 7, 0x81, 0, 0x20, 100}}) {
            Bytes arrives = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
            arrives.insert(arrives.end(), tags.begin(), tags.end());
            Bytes expected = arrives;
            const Bytes ipv4 = {8, 0};
            arrives.insert(arrives.end(), ipv4.begin(), ipv4.end());
            arrives.insert(arrives.end(), outer.begin(), outer.end());
            const Bytes type = v4 ? ipv4 : Bytes{0x86, 0xdd};
            expected.insert(expected.end(), type.begin(), type.end());
            expected.insert(expected.end(), packet.begin(), packet.end());
            EXPECT_EQ(unwrapped(bpffs_ + "/xdp_eth0", arrives), expected) << tags.size();
        }
    }
}

// A datagram's last fragment may hold one byte; the frame is short, but the packet is whole.
TEST_F(Tunnels, AShortLastFragmentInside) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"gue\"]"));
    Bytes packet = inner("");
    packet.resize(21);
    packet[3] = 21;
    packet[7] = 185;  // an offset
    packet = with_checksum(packet);
    for (const Bytes& tags : {Bytes{}, Bytes{0x81, 0, 0x20, 100}}) {
        Bytes expected = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
        expected.insert(expected.end(), tags.begin(), tags.end());
        expected.insert(expected.end(), {8, 0});
        Bytes arrives = expected;
        const Bytes outer = gue(packet);
        arrives.insert(arrives.end(), outer.begin(), outer.end());
        expected.insert(expected.end(), packet.begin(), packet.end());
        EXPECT_EQ(unwrapped(bpffs_ + "/xdp_eth0", arrives), expected) << tags.size();
    }
}

// RFC 6040, section 4.2: what the receiver is told of congestion on the way.
TEST_F(Tunnels, Congestion) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\"]"));
    for (int mark = 0; mark < 4; ++mark)
        EXPECT_TRUE(arrives(with_ecn(ipip(with_ecn(inner("it"), 2)), mark))) << mark;
    for (const int mark : {0, 1, 2})
        EXPECT_TRUE(arrives(with_ecn(ipip(with_ecn(inner("it"), 0)), mark))) << mark;
    EXPECT_TRUE(is_dropped(with_ecn(ipip(with_ecn(inner("it"), 0)), 3), "congestion"));
}

// Told to the socket as the kernel got it.
TEST_F(Tunnels, TheMarkThatArrives) {
    ASSERT_NO_FATAL_FAILURE(begin("[\"ipip\"]"));
    // Rows: inner mark; columns: outer mark.
    constexpr int expected[4][4] = {{0, 0, 0, -1}, {1, 1, 1, 3}, {2, 1, 2, 3}, {3, 3, 3, 3}};
    for (const bool v4 : {true, false}) {
        const Socket socket = Socket::udp(vip(v4), port + 1);
        for (int in = 0; in < 4; ++in)
            for (int out = 0; out < 4; ++out) {
                if (expected[in][out] < 0) continue;
                const Bytes payload = {'i', 't'};
                const Bytes packet =
                    backend::udp_packet({client(v4), vip(v4), 4000, port + 1}, payload);
                send_packet(with_ecn(ipip(with_ecn(packet, in)), out));
                EXPECT_EQ(socket.receive_mark() & 3, expected[in][out]) << in << " in " << out;
            }
    }
}

}  // namespace
}  // namespace bascule::test
