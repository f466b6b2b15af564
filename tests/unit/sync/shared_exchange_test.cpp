// SPDX-License-Identifier: Apache-2.0
#include "sync/shared_exchange.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sync/codec_bounds.h"

namespace bascule::sync {
namespace {

using enum SharedMap::Applied;

SharedItem item(const std::string& key, const std::string& value, HybridTime time = 5,
                const std::string& origin = "lb9") {
    return {key, value, time, origin, false, 0};
}
SharedItem item(std::size_t number, const std::string& value = "v", HybridTime time = 5) {
    return item(fmt::format("word/a/{:05}", number), value, time);
}

// Two nodes; what one sends to the other is peer 0 of both. Messages wait until pump().
class Exchange : public ::testing::Test {
protected:
    struct Node {
        explicit Node(const std::string& name) : map(name) {}
        SharedMap map;
        SharedExchange exchange{map};
        std::vector<StreamMessage> to_it;
        std::vector<std::string> changed;
        std::string refusal;
    };
    static void queue(std::vector<SharedToSend> messages, Node& to) {
        for (auto& message : messages)
            to.to_it.push_back(std::move(message.message));
    }
    static void take(Node& node, Node& other) {
        auto messages = std::move(node.to_it);
        node.to_it.clear();
        for (const auto& message : messages) {
            auto outcome = node.exchange.on_message(0, message);
            node.changed.insert(node.changed.end(), outcome.changed.begin(), outcome.changed.end());
            if (!outcome.refusal.empty()) node.refusal = outcome.refusal;
            queue(std::move(outcome.send), other);
        }
    }
    // How many messages it took until both were silent.
    std::size_t pump() {
        std::size_t count = 0;
        for (int rounds = 0; !a_.to_it.empty() || !b_.to_it.empty(); rounds++) {
            EXPECT_LT(rounds, 20) << "they do not stop";
            if (rounds >= 20) break;
            for (const Node* node : {&a_, &b_})
                for (const auto& message : node->to_it) {
                    ++count;
                    if (const auto* items = std::get_if<SharedItems>(&message))
                        items_sent_ += items->items.size();
                }
            take(a_, b_);
            take(b_, a_);
        }
        return count;
    }
    void connect() {
        queue(a_.exchange.on_connected(0), b_);
        queue(b_.exchange.on_connected(0), a_);
    }
    // As heartbeats do; what comes of it waits.
    void tick() {
        a_.exchange.on_peer_digest(0, b_.map.digest());
        b_.exchange.on_peer_digest(0, a_.map.digest());
        queue(a_.exchange.tick(), b_);
        queue(b_.exchange.tick(), a_);
    }
    bool equal() const { return a_.map.items() == b_.map.items(); }

    Node a_{"lb1"};
    Node b_{"lb2"};
    std::size_t items_sent_ = 0;
};

TEST_F(Exchange, EqualMapsExchangeNothingButDigests) {
    for (std::size_t i = 0; i < 100; i++)
        for (Node* node : {&a_, &b_})
            node->map.apply(item(i));
    connect();
    EXPECT_EQ(pump(), 2);
    EXPECT_EQ(items_sent_, 0);
    for (int i = 0; i < 10; i++)
        tick();
    EXPECT_EQ(pump(), 0);
}

TEST_F(Exchange, WhatIsSaidIsPushedAtOnce) {
    a_.map.apply(item(1));
    queue(SharedExchange::push({item(1)}), b_);
    EXPECT_EQ(pump(), 1) << "and needs no answer";
    EXPECT_TRUE(equal());
    EXPECT_EQ(b_.changed, std::vector<std::string>{item(1).key});
    EXPECT_EQ(SharedExchange::push({item(1)})[0].peer, every_peer);
    EXPECT_TRUE(SharedExchange::push({}).empty());
}

TEST_F(Exchange, WhatIsKnownIsNoChange) {
    b_.map.apply(item(1, "newer", 6));
    b_.map.apply(item(2));
    const auto outcome = b_.exchange.on_message(0, SharedItems{{item(1), item(2)}, {}});
    EXPECT_TRUE(outcome.changed.empty());
    EXPECT_FALSE(outcome.to_keep);
    EXPECT_TRUE(outcome.send.empty());
}

TEST_F(Exchange, AConnectionBringsBothToTheSame) {
    for (std::size_t i = 0; i < 300; i++) {
        if (i % 3 != 1) a_.map.apply(item(i, "v", 5));
        if (i % 3 != 2) b_.map.apply(item(i, "w", i % 2 ? 6 : 4));
    }
    b_.map.apply({item(0).key, "", 9, "lb2", true, 0});
    connect();
    pump();
    EXPECT_TRUE(equal());
    EXPECT_EQ(a_.map.find(item(0).key, 1), nullptr);
}

TEST_F(Exchange, OneOfTheTwoIsEnoughToAsk) {
    a_.map.apply(item(1));
    b_.map.apply(item(2));
    queue(a_.exchange.on_connected(0), b_);
    pump();
    EXPECT_TRUE(equal());
}

TEST_F(Exchange, OnlyBucketsThatDifferTravel) {
    for (std::size_t i = 0; i < 6400; i++)
        for (Node* node : {&a_, &b_})
            node->map.apply(item(i));
    a_.map.apply(item(7, "new", 6));
    queue(b_.exchange.on_connected(0), a_);
    pump();
    EXPECT_TRUE(equal());
    EXPECT_LT(items_sent_, 200) << "of 6400; what is the same is not sent back";
    EXPECT_EQ(b_.changed, std::vector<std::string>{item(7).key});
}

TEST_F(Exchange, ADifferenceThatLastsIsRepaired) {
    a_.map.apply(item(1));
    tick();
    EXPECT_EQ(pump(), 0) << "heartbeats are faster than streams: it may be on its way";
    tick();
    EXPECT_GT(pump(), 0);
    EXPECT_TRUE(equal());
    tick();
    EXPECT_EQ(pump(), 0);
}

TEST_F(Exchange, ADifferenceThatWasOnItsWayIsNot) {
    a_.map.apply(item(1));
    tick();
    b_.map.apply(item(1));
    tick();
    a_.map.apply(item(2));
    tick();
    EXPECT_EQ(pump(), 0);
}

TEST_F(Exchange, WhatIsLostIsRepairedLater) {
    for (std::size_t i = 0; i < 50; i++)
        (i % 2 ? a_ : b_).map.apply(item(i));
    connect();
    a_.to_it.clear();
    b_.to_it.clear();
    tick();
    tick();
    take(a_, b_);
    b_.to_it.clear();  // the answer
    for (int i = 0; i < 8; i++) {
        tick();
        pump();
    }
    EXPECT_TRUE(equal());
}

TEST_F(Exchange, AMapAtItsBoundMakesNoStorm) {
    for (std::size_t i = 0; i < most_shared_items; i++)
        ASSERT_EQ(a_.map.apply(item(i)), newer);
    for (std::size_t i = 1; i < most_shared_items; i++)
        ASSERT_EQ(b_.map.apply(item(i)), newer);
    ASSERT_EQ(b_.map.apply(item("word/b/more", "v")), newer);
    connect();
    pump();
    EXPECT_NE(a_.map.digest(), b_.map.digest());
    EXPECT_EQ(a_.refusal, "there is no room for more");
    std::size_t messages = 0;
    for (int i = 0; i < 700; i++) {
        tick();
        messages += pump();
    }
    // Every 64 ticks at last, by both, three messages each.
    EXPECT_LT(messages, 150);
    EXPECT_GT(messages, 55) << "but they go on trying";
    // And as soon as something changes they try at once.
    a_.map.apply(item(77, "w", 6));
    tick();
    pump();
    EXPECT_EQ(b_.map.find(item(77).key, 1)->value, "w");
}

TEST_F(Exchange, MessagesAndExchangesAreBounded) {
    const std::string big(10'000, 'x');
    for (std::size_t i = 0; i < 1500; i++)
        ASSERT_EQ(a_.map.apply(item(i, big)), newer);
    queue(b_.exchange.on_connected(0), a_);
    take(a_, b_);
    std::size_t sum = 0;
    for (const auto& message : b_.to_it) {
        std::size_t bytes = 0;
        for (const auto& one : std::get<SharedItems>(message).items)
            bytes += items_bytes(one);
        EXPECT_LE(bytes, SharedExchange::most_message_bytes);
        sum += bytes;
    }
    for (std::size_t i = 0; i < b_.to_it.size(); i++)
        EXPECT_EQ(std::get<SharedItems>(b_.to_it[i]).wanted.empty(), i + 1 < b_.to_it.size())
            << "who is asked has heard all of it before it answers";
    EXPECT_GT(b_.to_it.size(), 8);
    EXPECT_LT(sum, SharedExchange::most_exchange_bytes + 1500 / 32 * 10'000);
    pump();
    int ticks = 0;
    for (; ticks < 20 && !equal(); ticks++) {
        tick();
        pump();
    }
    EXPECT_TRUE(equal());
    EXPECT_GT(ticks, 3);
}

// It may have been another process.
TEST_F(Exchange, WhatAPeerHasSentIsNotWhatItHas) {
    const SharedDigests empty{std::vector<std::uint64_t>(shared_buckets)};
    const SharedItems wish{{}, {bucket_of(item(1).key)}};
    a_.exchange.on_message(0, SharedItems{{item(1)}, {}});
    EXPECT_TRUE(a_.exchange.on_message(0, wish).send.empty()) << "but within one exchange it is";
    EXPECT_EQ(a_.exchange.on_message(0, wish).send.size(), 1);
    a_.exchange.on_message(0, SharedItems{{item(1)}, {}});
    EXPECT_TRUE(a_.exchange.on_message(0, wish).send.empty()) << "though it was known";
    a_.exchange.on_message(0, SharedItems{{item(1)}, {}});
    EXPECT_EQ(std::get<SharedItems>(a_.exchange.on_message(0, empty).send.at(0).message).items,
              std::vector<SharedItem>{item(1)});
    a_.exchange.on_message(0, SharedItems{{item(1)}, {}});
    for (int i = 0; i < 2; i++) {
        a_.exchange.on_peer_digest(0, 77);
        a_.exchange.tick();
    }
    EXPECT_EQ(a_.exchange.on_message(0, wish).send.size(), 1);
}

TEST_F(Exchange, WhatIsRememberedOfAPeerIsBounded) {
    SharedItems all;
    for (std::size_t i = 0; i < most_shared_items; i++)
        all.items.push_back(item(i));
    a_.exchange.on_message(0, all);
    const SharedItems wish{{}, {bucket_of(item(5).key)}};
    a_.exchange.on_message(0, SharedItems{{item(0)}, {}});
    EXPECT_FALSE(a_.exchange.on_message(0, wish).send.empty());
}

TEST_F(Exchange, EachExchangeBeginsElsewhere) {
    const std::string big(16'000, 'x');
    for (std::size_t i = 0; i < 900; i++)
        ASSERT_EQ(a_.map.apply(item(i, big)), newer);
    const SharedDigests empty{std::vector<std::uint64_t>(shared_buckets)};
    std::set<std::string> keys;
    std::size_t sent = 0;
    for (unsigned i = 0; i < SharedExchange::most_answers; i++) {
        const auto outcome = a_.exchange.on_message(0, empty);
        for (const auto& message : outcome.send)
            for (const auto& one : std::get<SharedItems>(message.message).items) {
                keys.insert(one.key);
                ++sent;
            }
        const auto& wanted = std::get<SharedItems>(outcome.send.back().message).wanted;
        EXPECT_LT(wanted.size(), shared_buckets / 2) << "what is not sent is not asked for";
        EXPECT_TRUE(std::is_sorted(wanted.begin(), wanted.end()));
        if (i < 5) {
            EXPECT_EQ(keys.size(), sent) << "nothing twice before all was sent once";
        }
    }
    EXPECT_EQ(keys.size(), 900) << "though nothing of it arrived";
}

TEST_F(Exchange, APeerThatAsksTooMuchIsLeftAlone) {
    a_.map.apply(item(1));
    const SharedDigests empty{std::vector<std::uint64_t>(shared_buckets)};
    std::size_t answers = 0;
    for (int i = 0; i < 100; i++) {
        answers += a_.exchange.on_message(0, empty).send.size();
        answers += a_.exchange.on_message(0, SharedItems{{}, {bucket_of(item(1).key)}}).send.size();
    }
    EXPECT_EQ(answers, SharedExchange::most_answers);
    EXPECT_EQ(a_.exchange.ignored(), 200 - SharedExchange::most_answers);
    EXPECT_EQ(a_.exchange.on_message(1, empty).send.size(), 1) << "others are not";
    EXPECT_EQ(a_.exchange.on_message(0, SharedItems{{item(2)}, {}}).changed.size(), 1);
    a_.exchange.tick();
    EXPECT_EQ(a_.exchange.on_message(0, empty).send.size(), 1);
}

TEST_F(Exchange, MessagesThatMakeNoSenseAreLeftAlone) {
    a_.map.apply(item(1));
    EXPECT_TRUE(a_.exchange.on_message(0, SharedDigests{}).send.empty());
    EXPECT_TRUE(
        a_.exchange.on_message(0, SharedDigests{std::vector<std::uint64_t>(65)}).send.empty());
    EXPECT_TRUE(a_.exchange.on_message(0, SharedItems{{}, {64, 1000}}).send.empty());
    EXPECT_TRUE(a_.exchange.on_message(0, Ping{}).send.empty());
    const auto outcome = a_.exchange.on_message(0, SharedItems{{item("nokind", "v"), item(2)}, {}});
    EXPECT_EQ(outcome.refusal, "its key is not KIND/NAME");
    EXPECT_EQ(outcome.changed.size(), 1) << "the others of the message count";
}

TEST_F(Exchange, WhatWasForgottenIsAnsweredByATombstone) {
    constexpr WallMilliseconds today = 1'763'000'000'000;
    constexpr WallMilliseconds day = shared_memory;
    const auto said = a_.map.make("word/web/web1", "drained", today).value();
    a_.map.apply(said);
    b_.map.apply(said);
    a_.map.apply(a_.map.make_removal("word/web/web1", today)[0]);
    a_.map.apply(*a_.map.make_floor(a_.map.digest(), today + 2 * day));
    a_.map.forget(a_.map.digest());
    ASSERT_EQ(a_.map.items().size(), 1);
    connect();
    pump();
    EXPECT_EQ(b_.map.find("word/web/web1", today), nullptr);
    EXPECT_EQ(a_.map.find("word/web/web1", today), nullptr);
    EXPECT_EQ(a_.map.digest(), b_.map.digest());
    EXPECT_TRUE(a_.changed.empty()) << "it never came back";
    const auto older = SharedItem{"word/web/web2", "drained", said.time - 1, "lb2", false, 0};
    const auto outcome = a_.exchange.on_message(0, SharedItems{{older}, {}});
    EXPECT_TRUE(outcome.to_keep);
    EXPECT_TRUE(outcome.changed.empty());
}

TEST_F(Exchange, CountsPeersInStep) {
    EXPECT_EQ(a_.exchange.in_step(), 0);
    a_.map.apply(item(1));
    a_.exchange.on_peer_digest(0, a_.map.digest());
    a_.exchange.on_peer_digest(1, 0);
    EXPECT_EQ(a_.exchange.in_step(), 1);
    a_.exchange.on_peer_digest(1, a_.map.digest());
    EXPECT_EQ(a_.exchange.in_step(), 2);
    a_.map.apply(item(2));
    EXPECT_EQ(a_.exchange.in_step(), 0);
    a_.exchange.on_peer_digest(1, a_.map.digest());
    a_.exchange.on_connected(1);
    EXPECT_EQ(a_.exchange.in_step(), 0) << "it may be another process now";
    a_.exchange.on_peer_digest(1, a_.map.digest());
    a_.exchange.reset();
    EXPECT_EQ(a_.exchange.in_step(), 0);
    a_.exchange.on_connected(0);
    EXPECT_EQ(a_.exchange.in_step(), 0) << "nothing was heard of its digest";
}

}  // namespace
}  // namespace bascule::sync
