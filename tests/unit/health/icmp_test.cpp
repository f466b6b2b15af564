// SPDX-License-Identifier: Apache-2.0
// Messages made by hand, and the loopback that answers echo requests by itself.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "health/icmp_message.h"
#include "health/icmp_sockets.h"
#include "tests/unit/health/await_result.h"
#include "tests/unit/health/probe_bed.h"

namespace bascule::health {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

Echo some_echo() {
    Echo echo;
    echo.id = 0x1234;
    echo.sequence = 0xfffe;
    for (std::size_t i = 0; i < echo.token.size(); ++i)
        echo.token[i] = static_cast<std::uint8_t>(i);
    return echo;
}

Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

// Of 28 bytes of payload; options of so many words.
Bytes ipv4_header(std::uint8_t protocol, std::size_t option_words = 0) {
    Bytes header(20 + 4 * option_words);
    header[0] = static_cast<std::uint8_t>(0x45 + option_words);
    header[9] = protocol;
    for (std::size_t i = 12; i < 20; ++i)
        header[i] = static_cast<std::uint8_t>(i);
    return header;
}

Bytes ipv6_header(std::uint8_t next) {
    Bytes header(40);
    header[0] = 0x60;
    header[6] = next;
    header[24] = 0x20;
    header[39] = 9;
    return header;
}

// The request with another type: what a host answers.
Bytes reply(bool v4) {
    Bytes packet = encode_echo(v4, some_echo());
    packet[0] = v4 ? 0 : 129;
    return v4 ? ipv4_header(1) + packet : packet;
}

Bytes error(bool v4, std::uint8_t type, std::uint8_t code) {
    const Bytes head{type, code, 0, 0, 0, 0, 0, 0};
    return v4 ? ipv4_header(1, 2) + head + ipv4_header(1, 1) + encode_echo(true, some_echo())
              : head + ipv6_header(58) + encode_echo(false, some_echo());
}

TEST(IcmpMessage, ARequestIsWhatTheStandardSays) {
    const Bytes request = encode_echo(true, some_echo());
    ASSERT_EQ(request.size(), 24u);
    EXPECT_EQ(Bytes(request.begin(), request.begin() + 2), (Bytes{8, 0}));
    EXPECT_EQ(Bytes(request.begin() + 4, request.begin() + 10),
              (Bytes{0x12, 0x34, 0xff, 0xfe, 0, 1}));
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < request.size(); i += 2)
        sum += static_cast<std::uint32_t>(request[i] << 8 | request[i + 1]);
    EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffU);
    EXPECT_EQ(encode_echo(false, some_echo())[0], 128);
}

TEST(IcmpMessage, RepliesAreRead) {
    for (const bool v4 : {true, false}) {
        const auto answer = decode_echo_answer(v4, reply(v4));
        ASSERT_TRUE(answer);
        EXPECT_FALSE(answer->is_error);
        EXPECT_EQ(answer->echo, some_echo());
    }
}

TEST(IcmpMessage, ErrorsAreReadByWhatTheyQuote) {
    const auto v4 = decode_echo_answer(true, error(true, 3, 1));
    ASSERT_TRUE(v4);
    EXPECT_TRUE(v4->is_error);
    EXPECT_EQ(v4->echo.id, 0x1234);
    EXPECT_EQ(v4->echo.sequence, 0xfffe);
    EXPECT_EQ(v4->destination.to_string(), "16.17.18.19");
    EXPECT_EQ(icmp_words(true, v4->type, v4->code), "host unreachable");
    const auto v6 = decode_echo_answer(false, error(false, 1, 1));
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->destination.to_string(), "2000::9");
    EXPECT_EQ(icmp_words(false, v6->type, v6->code), "administratively prohibited");
}

TEST(IcmpMessage, EveryCutIsNoticed) {
    for (const bool v4 : {true, false})
        for (const Bytes& whole : {reply(v4), error(v4, v4 ? 11 : 3, 0)}) {
            const auto answer = decode_echo_answer(v4, whole);
            ASSERT_TRUE(answer);
            // Of a request that is quoted its header is enough.
            const std::size_t needed = answer->is_error ? whole.size() - 16 : whole.size();
            for (std::size_t size = 0; size < needed; ++size)
                EXPECT_FALSE(decode_echo_answer(v4, std::span(whole).first(size))) << size;
            EXPECT_TRUE(decode_echo_answer(v4, std::span(whole).first(needed)));
        }
}

TEST(IcmpMessage, OtherThingsAreNothing) {
    Bytes other = reply(true);
    other[9] = 17;
    EXPECT_FALSE(decode_echo_answer(true, other));
    other = reply(true);
    other[0] = 0x44;  // a header shorter than any
    EXPECT_FALSE(decode_echo_answer(true, other));
    other = reply(true);
    other[20] = 8;  // somebody's request
    EXPECT_FALSE(decode_echo_answer(true, other));
    EXPECT_FALSE(decode_echo_answer(true, reply(true) + Bytes{0}));
    EXPECT_FALSE(decode_echo_answer(true, error(true, 5, 0)));  // a redirect
    other = error(true, 3, 1);
    other[28 + 8 + 9] = 6;  // quotes TCP
    EXPECT_FALSE(decode_echo_answer(true, other));
    other = error(false, 1, 0);
    other[8 + 6] = 6;
    EXPECT_FALSE(decode_echo_answer(false, other));
}

TEST(IcmpMessage, EveryErrorHasWords) {
    EXPECT_EQ(icmp_words(true, 3, 13), "administratively prohibited");
    EXPECT_EQ(icmp_words(true, 3, 99), "unreachable, code 99");
    EXPECT_EQ(icmp_words(true, 11, 0), "time exceeded on the way");
    EXPECT_EQ(icmp_words(false, 3, 0), "time exceeded on the way");
    EXPECT_EQ(icmp_words(false, 2, 0), "packet too big");
    EXPECT_EQ(icmp_words(false, 1, 0), "no route");
    EXPECT_EQ(icmp_words(true, 12, 1), "ICMP type 12, code 1");
}

class IcmpProbe : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, for raw sockets";
        bed_.target.health.timeout = 20s;
    }
    void go_to(const char* address) {
        bed_.target.backend = bed_.to.address = *Address::parse(address);
    }

    ProbeBed bed_{make_icmp_probe, model::ProbeType::icmp, 0};
};

TEST_F(IcmpProbe, AReplyIsGood) {
    for (const char* address : {"127.0.0.1", "::1", "127.9.9.9"}) {
        go_to(address);
        for (int i = 0; i < 3; ++i) {
            const Outcome outcome = bed_.run();
            EXPECT_TRUE(outcome.ok()) << address << ": " << outcome.words;
            EXPECT_EQ(outcome.words, "answered");
        }
    }
}

TEST_F(IcmpProbe, HasTheSourceThatItIsGiven) {
    bed_.to.source = *Address::parse("127.0.0.77");
    EXPECT_TRUE(bed_.run().ok());
    bed_.to.source = *Address::parse("192.0.2.1");
    Outcome outcome = bed_.run();
    EXPECT_EQ(outcome.failure, Failure::local);
    EXPECT_EQ(outcome.words, "source 192.0.2.1 is not an address of this host");
    go_to("::1");
    bed_.to.source = *Address::parse("::1");
    EXPECT_TRUE(bed_.run().ok());
    bed_.to.source = *Address::parse("2001:db8::1");
    outcome = bed_.run();
    EXPECT_EQ(outcome.words, "source 2001:db8::1 is not an address of this host");
}

TEST_F(IcmpProbe, CancellationEndsIt) {
    for (const auto time : {0us, 50us, 20000us}) {
        bed_.run_and_cancel(time);
        EXPECT_LT(bed_.took, 15s);
    }
    EXPECT_TRUE(bed_.run().ok());
}

TEST_F(IcmpProbe, ManyAtOnceShareASocket) {
    boost::asio::io_context io;
    IcmpSockets sockets(io);
    int answered = 0;
    const int all = 3000;  // some wait for others' answers to be read: their buffer is finite
    int under_way = 0;
    int started = 0;
    const std::function<void()> start = [&] {
        while (started < all && under_way < 100) {
            ++started;
            ++under_way;
            boost::asio::co_spawn(
                io, sockets.echo(*Address::parse("127.0.0.1"), Address(), Clock::now() + 30s),
                [&](std::exception_ptr, const Result<EchoEnd>& end) {
                    answered += end && end->answered;
                    --under_way;
                    start();
                });
        }
    };
    start();
    io.run();
    EXPECT_EQ(answered, all);
}

// Raw sockets get all replies to this host, also while no probe is under way.
TEST_F(IcmpProbe, PingsOfOthersLeaveRoomForTheReply) {
    bed_.target.health.timeout = 2s;
    ASSERT_TRUE(bed_.run().ok());
    const int other = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    ASSERT_GE(other, 0);
    sockaddr_in loopback{};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const Bytes request = encode_echo(true, some_echo());
    for (int i = 0; i < 5000; ++i)
        ::sendto(other, request.data(), request.size(), 0,
                 reinterpret_cast<const sockaddr*>(&loopback), sizeof loopback);
    ::close(other);
    const Outcome outcome = bed_.run();
    EXPECT_TRUE(outcome.ok()) << outcome.words;
}

TEST_F(IcmpProbe, TheEndOfEverythingMayComeFirst) {
    auto io = std::make_unique<boost::asio::io_context>();
    auto sockets = std::make_unique<IcmpSockets>(*io);
    boost::asio::co_spawn(
        *io, sockets->echo(*Address::parse("127.0.0.1"), Address(), Clock::now() + 30s),
        [](std::exception_ptr, const Result<EchoEnd>&) {});
    io->poll_one();
    sockets.reset();
    io.reset();
}

}  // namespace
}  // namespace bascule::health
