// SPDX-License-Identifier: Apache-2.0
#include "sync/peer_streams.h"

#include <gtest/gtest.h>

#include <thread>

#include "sync/codec_bounds.h"
#include "tests/unit/sync/stream_scene.h"

namespace bascule::sync {
namespace {

using std::chrono::milliseconds;
using test::keys_of;
using test::StreamScene;
using test::TestUser;

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

// Two nodes; lb1 connects.
struct Pair : testing::Test {
    bool both_stand() {
        return scene.until([&] { return user1.standing == 1 && user2.standing == 1; });
    }
    StreamView view1() const { return lb1->view().peers.at(0); }
    StreamView view2() const { return lb2->view().peers.at(0); }

    StreamScene scene;
    TestUser user1;
    TestUser user2;
    std::unique_ptr<PeerStreams> lb1;
    std::unique_ptr<PeerStreams> lb2;
};

Frame numbered(std::uint64_t number) {
    return encode(Ack{.number = number, .made = 7});
}

std::vector<std::uint64_t> numbers_of(const std::vector<StreamMessage>& messages) {
    std::vector<std::uint64_t> out;
    for (const StreamMessage& message : messages)
        out.push_back(std::get<Ack>(message).number);
    return out;
}

std::vector<std::uint64_t> rising(std::size_t count) {
    std::vector<std::uint64_t> out;
    for (std::uint64_t i = 0; i < count; ++i)
        out.push_back(i);
    return out;
}

TEST_F(Pair, ConnectsAndSaysHello) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    EXPECT_EQ(user1.connected.at(0).node, "lb2");
    EXPECT_EQ(user1.connected.at(0).incarnation, 1002U);
    EXPECT_EQ(user2.connected.at(0).node, "lb1");
    EXPECT_EQ(user2.connected.at(0).received_batch, 100U);
    EXPECT_TRUE(view1().connected);
    EXPECT_EQ(view1().problem, "");
    EXPECT_EQ(view1().connects, 1U);
    EXPECT_EQ(view1().path, scene.endpoint(1).to_string() + " to " + scene.endpoint(2).to_string());
    EXPECT_EQ(view2().path, scene.endpoint(2).to_string() + " to " + scene.endpoint(1).to_string());
    EXPECT_EQ(lb2->view().strangers, 0U);
}

TEST_F(Pair, MessagesComeInOrderBothWays) {
    constexpr std::size_t count = 5000;
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    for (std::uint64_t i = 0; i < count; ++i) {
        user1.frames.push_back(numbered(i));
        user2.frames.push_back(numbered(i));
    }
    lb1->wake(0);
    lb2->wake(0);
    ASSERT_TRUE(scene.until(
        [&] { return user1.messages.size() == count && user2.messages.size() == count; }));
    EXPECT_EQ(numbers_of(user1.messages), rising(count));
    EXPECT_EQ(numbers_of(user2.messages), rising(count));
    EXPECT_GT(view1().bytes_sent, count * 4);
    EXPECT_GT(view1().bytes_received, count * 4);
}

TEST_F(Pair, FramesOfTheGreatestSizePass) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    SharedItems items;
    SharedItem item{.key = "word/a/b",
                    .value = std::string(most_shared_value, 'v'),
                    .time = 1,
                    .origin = "lb1",
                    .removed = false,
                    .expires = 0};
    for (std::size_t sum = 0; sum + items_bytes(item) < most_items_bytes; sum += items_bytes(item))
        items.items.push_back(item);
    for (int i = 0; i < 5; ++i)
        user1.frames.push_back(encode(items));
    user1.frames.push_back(numbered(1));
    ASSERT_GT(user1.frames[0]->size(), most_frame - 20'000);
    lb1->wake(0);
    ASSERT_TRUE(scene.until([&] { return user2.messages.size() == 6; }));
    EXPECT_EQ(user2.messages[4], StreamMessage(items));
}

TEST_F(Pair, ComesBackAfterABreak) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    for (int round = 1; round <= 3; ++round) {
        lb2.reset();
        ASSERT_TRUE(scene.until([&] { return user1.standing == 0; }));
        EXPECT_EQ(user1.disconnected.back(), "closed by the other side");
        ASSERT_TRUE(scene.until([&] { return contains(view1().problem, "refused"); }))
            << view1().problem;
        EXPECT_TRUE(contains(view1().problem, scene.endpoint(2).to_string()));
        user2 = TestUser();
        lb2 = scene.make(2, user2);
        ASSERT_TRUE(both_stand());
        EXPECT_EQ(view1().connects, static_cast<std::uint64_t>(round) + 1);
        EXPECT_EQ(view1().refused, 0U);
    }
    user1.frames.push_back(numbered(3));
    lb1->wake(0);
    EXPECT_TRUE(scene.until([&] { return user2.messages.size() == 1; }));
}

// The dialler is killed and comes back, before the other side has noticed.
TEST_F(Pair, ANewerStreamReplacesAnOlderOne) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    TestUser user3;
    user3.mine.incarnation = 77;
    const auto again = scene.make(1, user3);
    ASSERT_TRUE(scene.until([&] { return user2.connected.size() >= 2; }));
    EXPECT_EQ(user2.disconnected.at(0), "a newer stream has taken its place");
    EXPECT_EQ(user2.connected.at(1).incarnation, 77U);
    ASSERT_TRUE(scene.until([&] { return !user1.disconnected.empty(); }));
    EXPECT_EQ(user1.disconnected.at(0), "says: a newer stream has taken its place");
}

TEST_F(Pair, StandsWithoutTrafficAndAnswersProbes) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    scene.run_for(2 * std::chrono::duration_cast<milliseconds>(scene.limits.silent));
    EXPECT_TRUE(user1.disconnected.empty());
    EXPECT_EQ(user1.answers, 0);  // those of every second are nobody's question
    lb1->probe(0);
    lb2->probe(0);
    ASSERT_TRUE(scene.until([&] { return user1.answers == 1 && user2.answers == 1; }));
    for (int i = 0; i < 1000; ++i)
        lb1->probe(0);
    ASSERT_TRUE(scene.until([&] { return user1.answers > 1; }));
    scene.run_for(milliseconds(50));
    EXPECT_LE(user1.answers, 1001);
    EXPECT_TRUE(user1.disconnected.empty());
}

TEST_F(Pair, DisconnectSaysWhy) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    lb1->disconnect(0, "I do not like it");
    EXPECT_EQ(user1.disconnected.at(0), "I do not like it");  // at once
    ASSERT_TRUE(scene.until([&] { return !user2.disconnected.empty(); }));
    EXPECT_EQ(user2.disconnected.at(0), "says: I do not like it");
    ASSERT_TRUE(both_stand());  // and again
}

TEST_F(Pair, ObjectionsEndAStream) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    user2.objection = "ack of nothing";
    user1.frames.push_back(numbered(1));
    user1.frames.push_back(numbered(2));
    lb1->wake(0);
    ASSERT_TRUE(scene.until([&] { return !user1.disconnected.empty(); }));
    EXPECT_EQ(user1.disconnected.at(0), "says: ack of nothing");
    EXPECT_EQ(user2.disconnected.at(0), "ack of nothing");
    EXPECT_EQ(user2.messages.size(), 1U);  // nothing is taken after it
}

TEST_F(Pair, CloseSaysGoodBye) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    bool done = false;
    lb2->close([&] { done = true; });
    EXPECT_FALSE(done);
    ASSERT_TRUE(scene.until([&] { return done; }));
    ASSERT_TRUE(scene.until([&] { return !user1.disconnected.empty(); }));
    EXPECT_EQ(user1.disconnected.at(0), "says: lb2 leaves");
    EXPECT_EQ(user2.disconnected.size(), 1U);
    ASSERT_TRUE(scene.until([&] { return contains(view1().problem, "refused"); }));
    // Without anybody it is done as well.
    done = false;
    lb2->close([&] { done = true; });
    EXPECT_TRUE(scene.until([&] { return done; }));
}

TEST_F(Pair, NothingIsCalledAfterItsEnd) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    user1.endless = numbered(1);
    lb1->wake(0);
    scene.run_for(milliseconds(20));
    lb1.reset();
    user1.endless = nullptr;
    const std::size_t given = user1.given;
    EXPECT_TRUE(user1.disconnected.empty());
    ASSERT_TRUE(scene.until([&] { return user2.standing == 0; }));
    EXPECT_EQ(user1.given, given);
    EXPECT_TRUE(user1.disconnected.empty());
}

TEST_F(Pair, KeysRollWithoutABreak) {
    lb2 = scene.make(2, user2, keys_of({1}));
    lb1 = scene.make(1, user1, keys_of({1}));
    ASSERT_TRUE(both_stand());
    const auto reconnects = [&] {
        lb1->disconnect(0, "try the keys");
        return both_stand();
    };
    lb1->set_keys(keys_of({1, 2}));
    EXPECT_TRUE(reconnects());  // lb2 does not have it yet
    lb2->set_keys(keys_of({1, 2}));
    EXPECT_TRUE(reconnects());
    lb1->set_keys(keys_of({2, 1}));
    EXPECT_TRUE(reconnects());
    lb2->set_keys(keys_of({2, 1}));
    EXPECT_TRUE(reconnects());
    lb2->set_keys(keys_of({2}));
    EXPECT_TRUE(reconnects());
    lb1->set_keys(keys_of({2}));
    EXPECT_TRUE(reconnects());
    EXPECT_EQ(view1().refused, 0U);
}

TEST_F(Pair, StreamsThatStandOutliveTheirKey) {
    lb2 = scene.make(2, user2, keys_of({1}));
    lb1 = scene.make(1, user1, keys_of({1}));
    ASSERT_TRUE(both_stand());
    lb1->set_keys(keys_of({2}));
    lb2->set_keys(keys_of({3}));
    user1.frames.push_back(numbered(1));
    lb1->wake(0);
    ASSERT_TRUE(scene.until([&] { return user2.messages.size() == 1; }));
    EXPECT_TRUE(user1.disconnected.empty());
    lb1->disconnect(0, "now");
    ASSERT_TRUE(scene.until([&] { return view1().refused > 0 && view2().refused > 0; }));
    EXPECT_EQ(user1.standing, 0);
}

TEST_F(Pair, AWrongKeyIsToldAndNotTakenForABreak) {
    lb2 = scene.make(2, user2, keys_of({1}));
    lb1 = scene.make(1, user1, keys_of({9}));
    ASSERT_TRUE(scene.until([&] { return view1().refused >= 2 && view2().refused >= 2; }));
    EXPECT_TRUE(contains(view1().problem, "does not accept \"bascule/1/shop/lb1/"))
        << view1().problem;
    EXPECT_TRUE(contains(view2().problem, "a node or a key that is not known here"))
        << view2().problem;
    EXPECT_EQ(user1.hellos + user2.hellos, 0);
    EXPECT_TRUE(user1.connected.empty() && user2.connected.empty());
    lb1->set_keys(keys_of({1}));  // once the right one is there
    EXPECT_TRUE(both_stand());
}

TEST_F(Pair, OtherClusterIsRefused) {
    lb2 = scene.make(2, user2);
    scene.cluster.name = "bar";
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(scene.until([&] { return view2().refused >= 1; }));
    EXPECT_TRUE(contains(view2().problem, "of another cluster than shop")) << view2().problem;
}

// What the handshake cannot know is in the hello.
TEST_F(Pair, HellosHaveToFit) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    const auto refused = [&](const std::string& words) {
        lb1->disconnect(0, "again");
        const std::uint64_t before = view1().refused;
        const bool in_time = scene.until(
            [&] { return view1().refused > before + 1 && contains(view1().problem, words); });
        EXPECT_TRUE(in_time) << view1().problem;
        EXPECT_FALSE(view1().connected);
        user1.mine.needs = user1.mine.version = user2.mine.needs = user2.mine.version = 1;
        user1.mine.node = "lb1";
        user1.mine.cluster = "shop";
        return in_time && both_stand();
    };
    user1.mine.needs = user1.mine.version = 2;
    EXPECT_TRUE(refused("says: lb1 needs protocol 2, lb2 speaks 1: lb2 is to be upgraded"));
    user2.mine.needs = user2.mine.version = 2;
    EXPECT_TRUE(refused(": lb2 needs protocol 2, lb1 speaks 1: lb1 is to be upgraded"));
    user1.mine.node = "lb3";
    EXPECT_TRUE(refused("says: says it is lb3, and has the key of lb1"));
    user1.mine.cluster = "bar";
    EXPECT_TRUE(refused("says: lb1 is of the cluster bar, lb2 of shop"));
    // A newer release that needs no more than this one knows is welcome.
    user1.mine.version = 2;
    lb1->disconnect(0, "again");
    EXPECT_TRUE(both_stand());
    EXPECT_EQ(user2.connected.back().version, 2U);
}

TEST_F(Pair, ASleepOfItsOwnIsNotThePeersFault) {
    lb2 = scene.make(2, user2);
    lb1 = scene.make(1, user1);
    ASSERT_TRUE(both_stand());
    // Neither side runs for longer than silence is borne.
    std::this_thread::sleep_for(2 * scene.limits.silent);
    scene.run_for(milliseconds(300));
    EXPECT_TRUE(user1.disconnected.empty()) << user1.disconnected.at(0);
    EXPECT_TRUE(user2.disconnected.empty());
}

TEST(PeerStreams, ThreeNodesAllMeet) {
    StreamScene scene(3);
    TestUser users[3];
    std::vector<std::unique_ptr<PeerStreams>> nodes;
    for (std::size_t i = 3; i > 0; --i)
        nodes.push_back(scene.make(i, users[i - 1]));
    ASSERT_TRUE(scene.until(
        [&] { return std::ranges::all_of(users, [](const auto& u) { return u.standing == 2; }); }));
    const StreamsView middle = nodes[1]->view();
    EXPECT_EQ(middle.peers.at(0).peer, "lb1");
    EXPECT_EQ(middle.peers.at(1).peer, "lb3");
}

// As on a machine where somebody tries two nodes: one address, two ports.
TEST(PeerStreams, MeetsByIPv6) {
    StreamScene scene;
    std::random_device random;
    for (model::ClusterNodeConfig& node : scene.cluster.nodes)
        node.addresses[0] = {*Address::parse("::1"),
                             static_cast<std::uint16_t>(20'000 + random() % 12'000)};
    TestUser user1;
    TestUser user2;
    const auto lb2 = scene.make(2, user2);
    ASSERT_TRUE(lb2->view().problems.empty()) << lb2->view().problems[0];
    const auto lb1 = scene.make(1, user1);
    ASSERT_TRUE(scene.until([&] { return user1.standing == 1 && user2.standing == 1; }));
    EXPECT_TRUE(lb1->view().peers[0].path.starts_with("[::1]:")) << lb1->view().peers[0].path;
}

TEST(PeerStreams, AnAddressInUseIsToldAndTriedAgain) {
    StreamScene scene;
    TestUser user2;
    TestUser other;
    TestUser user1;
    auto blocker = scene.make(2, other);
    const auto lb2 = scene.make(2, user2);
    ASSERT_EQ(lb2->view().problems.size(), 1U);
    EXPECT_EQ(lb2->view().problems[0],
              "cannot listen at " + scene.endpoint(2).to_string() + ": Address already in use");
    blocker.reset();
    ASSERT_TRUE(scene.until([&] { return lb2->view().problems.empty(); }));
    const auto lb1 = scene.make(1, user1);
    EXPECT_TRUE(scene.until([&] { return user2.standing == 1; }));
}

TEST(PeerStreams, AnAddressThatIsNotHereIsTold) {
    StreamScene scene;
    scene.cluster.nodes[0].addresses[0].address = *Address::parse("198.51.100.1");
    scene.cluster.nodes[1].addresses[0].address = *Address::parse("198.51.100.2");
    TestUser user1;
    TestUser user2;
    const auto lb1 = scene.make(1, user1);
    const auto lb2 = scene.make(2, user2);
    ASSERT_TRUE(scene.until([&] {
        return contains(lb1->view().peers[0].problem,
                        "198.51.100.2:7400: from 198.51.100.1: Cannot assign requested address");
    })) << lb1->view().peers[0].problem;
    EXPECT_EQ(lb2->view().problems.at(0),
              "cannot listen at 198.51.100.2:7400: Cannot assign requested address");
}

}  // namespace
}  // namespace bascule::sync
