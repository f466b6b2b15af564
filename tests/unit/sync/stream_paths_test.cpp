// SPDX-License-Identifier: Apache-2.0
// Which path a stream takes, and how it leaves one.
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>

#include "sync/backoff.h"
#include "sync/path_choice.h"
#include "tests/unit/sync/stream_scene.h"

namespace bascule::sync {
namespace {

using std::chrono::milliseconds;
using test::StreamScene;
using test::TestUser;

TEST(PathChoice, LivingPathsComeFirst) {
    PathChoice choice(3);
    EXPECT_EQ(choice.next(), 0U);
    choice.set_alive(2, true);
    EXPECT_EQ(choice.next(), 2U);
    EXPECT_TRUE(choice.better_than(0));
    EXPECT_FALSE(choice.better_than(2));
    choice.set_alive(2, false);
    EXPECT_FALSE(choice.better_than(0));
}

TEST(PathChoice, FailuresGoRound) {
    PathChoice choice(3);
    std::vector<std::size_t> tried;
    for (int i = 0; i < 6; ++i) {
        tried.push_back(choice.next());
        choice.failed(tried.back());
    }
    EXPECT_EQ(tried, (std::vector<std::size_t>{0, 1, 2, 0, 1, 2}));
}

TEST(PathChoice, HeartbeatsDoNotCountForEver) {
    PathChoice choice(2);
    choice.set_alive(0, true);
    std::vector<std::size_t> tried;
    for (int i = 0; i < 4; ++i) {
        tried.push_back(choice.next());
        choice.failed(tried.back());
    }
    EXPECT_EQ(tried, (std::vector<std::size_t>{0, 0, 1, 0}));
    EXPECT_EQ(choice.next_alive(), 0U);
    choice.succeeded();
    EXPECT_EQ(choice.next(), 0U);
}

TEST(Backoff, DoublesToItsMost) {
    Backoff backoff(milliseconds(100), milliseconds(2000));
    const auto near = [](Nanoseconds time, milliseconds middle) {
        return time >= middle * 8 / 10 && time <= middle * 12 / 10;
    };
    for (const int middle : {100, 200, 400, 800, 1600, 2000, 2000})
        EXPECT_TRUE(near(backoff.next(), milliseconds(middle))) << middle;
    backoff.reset();
    EXPECT_TRUE(near(backoff.next(), milliseconds(100)));
}

struct Paths : testing::Test {
    void make_both() {
        lb2 = scene.make(2, user2);
        lb1 = scene.make(1, user1);
    }
    bool both_stand() {
        return scene.until([&] { return user1.standing == 1 && user2.standing == 1; });
    }
    void alive(std::size_t path, bool is) {
        lb1->set_path_alive(0, path, is);
        lb2->set_path_alive(0, path, is);
    }
    StreamView view1() const { return lb1->view().peers.at(0); }
    StreamView view2() const { return lb2->view().peers.at(0); }

    StreamScene scene{2, 2};
    TestUser user1;
    TestUser user2;
    std::unique_ptr<PeerStreams> lb1;
    std::unique_ptr<PeerStreams> lb2;
};

TEST_F(Paths, TheOtherPathTakesOver) {
    // Nobody listens at the first.
    const auto real = scene.cluster.nodes[1].addresses[0];
    lb2 = scene.make(2, user2);
    scene.cluster.nodes[1].addresses[0].port = 7401;
    lb1 = scene.make(1, user1);
    scene.cluster.nodes[1].addresses[0] = real;
    ASSERT_TRUE(both_stand());
    EXPECT_EQ(view1().path_index, 1U);
    EXPECT_EQ(view2().path_index, 1U);
    EXPECT_EQ(view2().path,
              scene.endpoint(2, 1).to_string() + " to " + scene.endpoint(1, 1).to_string());
}

TEST_F(Paths, PrefersThePathThatLives) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    alive(1, true);
    ASSERT_TRUE(both_stand());
    EXPECT_EQ(view1().path_index, 1U);
}

TEST_F(Paths, MovesFromADeadPathToALivingOne) {
    make_both();
    ASSERT_TRUE(both_stand());
    EXPECT_EQ(view1().path_index, 0U);
    alive(0, true);
    alive(1, true);
    scene.run_for(milliseconds(100));
    EXPECT_EQ(user1.connected.size(), 1U);
    alive(0, false);
    ASSERT_TRUE(scene.until([&] { return user1.connected.size() == 2 && both_stand(); }));
    EXPECT_EQ(view1().path_index, 1U);
    EXPECT_EQ(view2().path_index, 1U);
    EXPECT_TRUE(user1.disconnected.at(0).starts_with("goes on by")) << user1.disconnected[0];
    // It does not go back only because it could.
    alive(0, true);
    scene.run_for(milliseconds(200));
    EXPECT_EQ(view1().path_index, 1U);
    // With both dead there is nothing better.
    alive(0, false);
    alive(1, false);
    scene.run_for(milliseconds(200));
    EXPECT_EQ(user1.connected.size(), 2U);
}

// Made before the old one is broken: where it fails, the old one goes on.
TEST_F(Paths, AMoveThatFailsBreaksNothing) {
    lb2 = scene.make(2, user2);
    const auto real = scene.cluster.nodes[1].addresses[1];
    scene.cluster.nodes[1].addresses[1].port = 7401;
    lb1 = scene.make(1, user1);
    scene.cluster.nodes[1].addresses[1] = real;
    ASSERT_TRUE(both_stand());
    alive(1, true);
    scene.run_for(milliseconds(500));
    EXPECT_TRUE(user1.disconnected.empty());
    EXPECT_EQ(view1().path_index, 0U);
    user1.frames.push_back(encode(Ack{.number = 1, .made = 2}));
    lb1->wake(0);
    EXPECT_TRUE(scene.until([&] { return user2.messages.size() == 1; }));
}

// A path that swallows all that is said, and another that heartbeats come by.
TEST_F(Paths, AnAttemptByADeadPathIsGivenUp) {
    using boost::asio::ip::tcp;
    scene.limits.handshake = std::chrono::hours(1);
    const auto& hole = scene.endpoint(2, 0);
    tcp::acceptor acceptor(
        scene.io,
        tcp::endpoint(boost::asio::ip::make_address(hole.address.to_string()), hole.port));
    tcp::socket silent(scene.io);
    bool accepted = false;
    acceptor.async_accept(silent, [&](auto) { accepted = true; });
    make_both();
    EXPECT_EQ(lb2->view().problems.size(), 1U);
    ASSERT_TRUE(scene.until([&] { return accepted; }));
    scene.run_for(milliseconds(100));
    EXPECT_EQ(user1.standing, 0);
    alive(1, true);
    ASSERT_TRUE(both_stand());
    EXPECT_EQ(view1().path_index, 1U);
}

// What was begun while the path was cut may hang for long; when it is back, a new one goes through.
TEST_F(Paths, APathThatComesBackIsDialledAnew) {
    using boost::asio::ip::tcp;
    scene.limits.handshake = std::chrono::hours(1);
    const auto& at = scene.endpoint(2, 0);
    tcp::acceptor acceptor(
        scene.io, tcp::endpoint(boost::asio::ip::make_address(at.address.to_string()), at.port));
    lb1 = scene.make(1, user1);
    std::vector<tcp::socket> silent;
    std::function<void()> accept = [&] {
        acceptor.async_accept([&](auto code, tcp::socket socket) {
            if (code) return;
            silent.push_back(std::move(socket));
            accept();
        });
    };
    accept();
    ASSERT_TRUE(scene.until([&] { return silent.size() == 1; }));
    scene.run_for(milliseconds(100));
    EXPECT_EQ(silent.size(), 1U);
    lb1->set_path_alive(0, 0, true);
    EXPECT_TRUE(scene.until([&] { return silent.size() == 2; }));
    lb1->set_path_alive(0, 0, true);  // nothing new
    scene.run_for(milliseconds(100));
    EXPECT_EQ(silent.size(), 2U);
    acceptor.close();
    scene.run_for(milliseconds(1));
}

TEST_F(Paths, MovesUnderLoad) {
    scene.limits.handshake = std::chrono::seconds(10);
    make_both();
    ASSERT_TRUE(both_stand());
    user1.keep = user2.keep = false;
    user1.endless = user2.endless = encode(
        Listing{.round = 1, .partition = 2, .fingerprints = std::vector<std::uint64_t>(4000)});
    lb1->wake(0);
    lb2->wake(0);
    for (int round = 0; round < 3; ++round) {
        const auto from = view1().path_index;
        const std::size_t connects = user1.connected.size();
        alive(1 - from, true);
        alive(from, false);
        ASSERT_TRUE(scene.until([&] { return user1.connected.size() > connects && both_stand(); }));
        EXPECT_EQ(view1().path_index, 1 - from);
        const std::size_t heard = user2.heard;
        ASSERT_TRUE(scene.until([&] { return user2.heard > heard + 100; }));
    }
    for (const std::string& why : user1.disconnected)
        EXPECT_TRUE(why.find("goes on by") != std::string::npos) << why;
}

}  // namespace
}  // namespace bascule::sync
