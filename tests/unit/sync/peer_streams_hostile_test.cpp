// SPDX-License-Identifier: Apache-2.0
// What whoever can reach the port can do to a node's streams, and what a peer that has the key can.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>

#include "tests/unit/sync/raw_peer.h"

namespace bascule::sync {
namespace {

using std::chrono::milliseconds;
using test::keys_of;
using test::RawPeer;
using test::StreamScene;
using test::TestUser;

// lb2 is real; who connects as lb1, or from its address, is not.
struct Hostile : testing::Test {
    Hostile() : lb2(scene.make(2, user2)) {}

    const Address& address1() const { return scene.endpoint(1).address; }
    RawPeer connect() { return {address1(), scene.endpoint(2)}; }
    StreamView view2() const { return lb2->view().peers.at(0); }
    bool lb2_disconnected(const std::string& why) {
        scene.until([&] { return !user2.disconnected.empty(); });
        EXPECT_EQ(user2.disconnected, std::vector{why});
        return user2.disconnected == std::vector{why};
    }
    // The real lb1 gets in, whatever is going on.
    bool lb1_gets_in() {
        TestUser user1;
        const auto lb1 = scene.make(1, user1);
        return scene.until([&] { return user1.standing == 1; });
    }

    StreamScene scene;
    TestUser user2;
    std::unique_ptr<PeerStreams> lb2;
};

TEST_F(Hostile, StrangersAreShownTheDoorAtOnce) {
    scene.limits.handshake = std::chrono::hours(1);
    Address::Bytes bytes = address1().bytes();
    bytes[15] = 250;
    RawPeer stranger(Address(bytes), scene.endpoint(2));
    EXPECT_TRUE(scene.until([&] { return stranger.closed(); }));
    EXPECT_EQ(lb2->view().strangers, 1U);
    EXPECT_EQ(view2().refused, 0U);
}

TEST_F(Hostile, PlainTextIsRefused) {
    RawPeer client = connect();
    client.send_plain("GET / HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(scene.until([&] { return view2().refused == 1; }));
    EXPECT_TRUE(view2().problem.ends_with(": what came is not TLS")) << view2().problem;
    EXPECT_EQ(lb2->view().strangers, 1U);
    EXPECT_TRUE(lb1_gets_in());
}

TEST_F(Hostile, SilentStrangersAreShutOutAndShutNobodyOut) {
    std::vector<std::unique_ptr<RawPeer>> strangers;
    for (int i = 0; i < 64; ++i)
        strangers.push_back(std::make_unique<RawPeer>(address1(), scene.endpoint(2)));
    scene.run_for(milliseconds(50));
    EXPECT_TRUE(lb1_gets_in());
    ASSERT_TRUE(scene.until([&] {
        return std::ranges::all_of(strangers, [](const auto& one) { return one->closed(); });
    }));
    EXPECT_EQ(lb2->view().strangers, 64U);
}

TEST_F(Hostile, NoMoreStrangersAreHeldThanThereMayBe) {
    scene.limits.handshake = std::chrono::seconds(20);
    scene.limits.most_strangers = 8;
    lb2.reset();
    lb2 = scene.make(2, user2);
    std::vector<std::unique_ptr<RawPeer>> strangers;
    for (int i = 0; i < 50; ++i) {
        strangers.push_back(std::make_unique<RawPeer>(address1(), scene.endpoint(2)));
        scene.run_for(milliseconds(2));
    }
    const auto open = [&] {
        return std::ranges::count_if(strangers, [](const auto& one) { return !one->closed(); });
    };
    EXPECT_TRUE(scene.until([&] { return open() == 8; })) << open();
    EXPECT_FALSE(strangers.back()->closed());
    EXPECT_TRUE(strangers.front()->closed());
    EXPECT_TRUE(lb1_gets_in());
}

TEST_F(Hostile, AKeyWithoutAHelloIsNotEnough) {
    const auto contexts =
        std::make_shared<TlsContexts>(keys_of({1}), "shop", "lb1", std::vector<std::string>{"lb2"});
    RawPeer client = connect();
    ASSERT_TRUE(client.shake_hands(scene, contexts, "lb2"));
    EXPECT_EQ(client.last_words(scene), "");
    EXPECT_EQ(user2.hellos, 0);

    RawPeer hasty = connect();
    ASSERT_TRUE(hasty.shake_hands(scene, contexts, "lb2"));
    hasty.write(*encode(Ping{.token = 1}));
    EXPECT_EQ(hasty.last_words(scene), "spoke before its hello");
    EXPECT_TRUE(user2.connected.empty());
    EXPECT_EQ(view2().refused, 1U);
}

TEST_F(Hostile, FramesThatAreTooLong) {
    RawPeer peer = connect();
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    peer.write(std::string("\x00\x10\x00\x01more", 8));
    EXPECT_EQ(peer.last_words(scene), "a frame of 1048577 bytes, at most 1048576");
    EXPECT_TRUE(lb2_disconnected("a frame of 1048577 bytes, at most 1048576"));
}

TEST_F(Hostile, FramesOfGarbage) {
    RawPeer peer = connect();
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    peer.write(std::string("\x00\x00\x00\x04\xff\xff\xff\xff", 8));
    EXPECT_EQ(peer.last_words(scene), "bytes that are no message");
    EXPECT_TRUE(lb2_disconnected("bytes that are no message"));
    EXPECT_TRUE(user2.messages.empty());
}

TEST_F(Hostile, EmptyFramesAndSecondHellos) {
    {
        RawPeer peer = connect();
        ASSERT_TRUE(peer.enter(scene, 1, 2));
        peer.write(std::string(4, '\0'));
        EXPECT_EQ(peer.last_words(scene), "an empty frame");
    }
    RawPeer peer = connect();
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    peer.write(*encode(Hello{.cluster = "shop", .node = "lb1", .incarnation = 5, .release = ""}));
    EXPECT_EQ(peer.last_words(scene), "a second hello");
}

TEST_F(Hostile, LaterKindsAreIgnoredAndCounted) {
    RawPeer peer = connect();
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    const std::string later = test::nested(100, "of a later release");
    peer.write(std::string({0, 0, 0, static_cast<char>(later.size())}) + later);
    peer.write(*encode(Gap{.number = 3}));
    ASSERT_TRUE(scene.until([&] { return user2.messages.size() == 1; }));
    EXPECT_EQ(user2.messages[0], StreamMessage(Gap{.number = 3}));
    EXPECT_EQ(view2().unknown, 1U);
    EXPECT_TRUE(view2().connected);
}

TEST_F(Hostile, FramesInPiecesAreWhole) {
    RawPeer peer = connect();
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    const Frame frame = encode(Gap{.number = 1ULL << 60});
    for (const char byte : *frame) {
        peer.write(std::string(1, byte));
        scene.run_for(milliseconds(1));
    }
    EXPECT_TRUE(scene.until([&] { return user2.messages.size() == 1; }));
}

TEST_F(Hostile, ByesAreHeard) {
    RawPeer peer = connect();
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    peer.write(*encode(Bye{.why = "going \x1b[1m home"}));
    EXPECT_TRUE(lb2_disconnected("says: going ?[1m home"));
    EXPECT_TRUE(view2().problem.ends_with("says: going ?[1m home")) << view2().problem;
}

TEST_F(Hostile, SilenceIsNotBorneForEver) {
    RawPeer peer = connect();
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    EXPECT_TRUE(lb2_disconnected("silent for 0.7 s"));
}

// A sanitizer keeps what was freed for a while.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer);
#else
constexpr bool sanitized = false;
#endif
constexpr std::size_t little = std::size_t{sanitized ? 512 : 16} << 20;  // bytes

std::size_t resident_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

// It speaks, so it is not silent; but it reads next to nothing of what there is for it.
TEST_F(Hostile, WhoReadsAByteASecondCostsLittleAndIsDisconnected) {
    RawPeer peer(address1(), scene.endpoint(2), 4096);
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    user2.endless = encode(
        Listing{.round = 1, .partition = 2, .fingerprints = std::vector<std::uint64_t>(30'000, 7)});
    const std::size_t before = resident_bytes();
    lb2->wake(0);
    auto next = std::chrono::steady_clock::now();
    ASSERT_TRUE(scene.until([&] {
        if (std::chrono::steady_clock::now() >= next) {
            peer.skim(1);
            peer.write(*encode(Ping{.token = 9}));
            next += scene.limits.stalled / 10;
        }
        return !user2.disconnected.empty();
    }));
    EXPECT_EQ(user2.disconnected.at(0), "has taken nothing for 0.7 s");
    EXPECT_LE(user2.given, 10U);  // frames of 240 kB
    EXPECT_LE(resident_bytes() - before, little);
    EXPECT_TRUE(lb1_gets_in());
}

// Pongs are asked for, and never read.
TEST_F(Hostile, WhoAsksAndDoesNotReadCostsLittle) {
    RawPeer peer(address1(), scene.endpoint(2), 4096);
    ASSERT_TRUE(peer.enter(scene, 1, 2));
    std::string pings;
    for (int i = 0; i < 1000; ++i)
        pings += *encode(Ping{.token = 1});
    const std::size_t before = resident_bytes();
    ASSERT_TRUE(scene.until([&] {
        peer.write(pings);
        return !user2.disconnected.empty();
    }));
    EXPECT_EQ(user2.disconnected.at(0), "has taken nothing for 0.7 s");
    EXPECT_LE(resident_bytes() - before, little);
}

// Who has the key and comes again and again leaves nothing behind.
TEST_F(Hostile, ComingAndGoingHoldsNoDescriptors) {
    const auto open_now = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    const auto before = open_now();
    for (int i = 0; i < 200; ++i) {
        RawPeer peer = connect();
        ASSERT_TRUE(peer.enter(scene, 1, 2));
        peer.write(std::string(4, '\0'));
        scene.run_for(milliseconds(1));
    }
    EXPECT_LE(open_now() - before, 70);
    EXPECT_TRUE(scene.until([&] { return open_now() <= before + 1; })) << open_now() - before;
    EXPECT_TRUE(lb1_gets_in());
}

// A server in the peer's place that has no key.
TEST(HostileServer, NothingIsSaidToIt) {
    StreamScene scene;
    TestUser user1;
    boost::asio::ip::tcp::acceptor server(scene.io);
    const auto& at = scene.endpoint(2);
    const boost::asio::ip::tcp::endpoint endpoint(
        boost::asio::ip::make_address(at.address.to_string()), at.port);
    server.open(endpoint.protocol());
    server.bind(endpoint);
    server.listen();
    const auto lb1 = scene.make(1, user1);
    boost::asio::ip::tcp::socket socket(scene.io);
    bool accepted = false;
    server.async_accept(socket, [&](auto) { accepted = true; });
    ASSERT_TRUE(scene.until([&] { return accepted; }));
    boost::asio::write(socket, boost::asio::buffer("SSH-2.0-OpenSSH_9.2p1\r\n", 23));
    ASSERT_TRUE(scene.until([&] { return lb1->view().peers[0].refused == 1; }));
    EXPECT_EQ(lb1->view().peers[0].problem, at.to_string() + ": what came is not TLS");
    EXPECT_EQ(user1.hellos, 0);
    // One that accepts and says nothing is given up in time, and another attempt is made.
    accepted = false;
    boost::asio::ip::tcp::socket silent(scene.io);
    server.async_accept(silent, [&](auto) { accepted = true; });
    ASSERT_TRUE(scene.until([&] { return accepted; }));
    ASSERT_TRUE(scene.until([&] {
        return lb1->view().peers[0].problem == at.to_string() + ": no TLS handshake within 0.5 s";
    })) << lb1->view().peers[0].problem;
    EXPECT_EQ(lb1->view().peers[0].refused, 1U);
}

}  // namespace
}  // namespace bascule::sync
