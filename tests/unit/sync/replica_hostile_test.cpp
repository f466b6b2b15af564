// SPDX-License-Identifier: Apache-2.0
// A peer that says what it must not, or says it again, too early, too late, too much: an error, or
// nothing, and never without a bound.
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "replica_bed.h"

namespace bascule::sync {
namespace {

// One replica, and whatever the test says to it.
struct Victim {
    explicit Victim(std::uint32_t sessions = 100) {
        options.cluster = "edge";
        options.self = "lb1";
        options.incarnation = 7;
        options.peers = {"lb2"};
        options.fingerprint_key = {11, 22};
        for (std::uint32_t i = 0; i < sessions; ++i)
            store.set(flow_of(i), {StoredSession::State::established, false, 100, 0});
        replica = std::make_unique<Replica>(options, store, now);
        replica->set_targets(store.targets);
        Hello hello;
        hello.incarnation = 8;
        replica->on_connected(0, hello, now);
    }
    Result<void> say(const StreamMessage& message) { return replica->on_message(0, message, now); }
    std::string refusal(const StreamMessage& message) {
        const Result<void> result = say(message);
        return result ? "" : result.error().text();
    }
    void pass(milliseconds span) {
        for (int i = 0; i < span.count(); i += 2) {
            now += milliseconds(2);
            replica->on_tick(now);
        }
    }
    std::vector<StreamMessage> heard() {
        std::vector<StreamMessage> all;
        while (Frame frame = replica->next_frame(0, now)) {
            const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame->data());
            all.push_back(decode({bytes + 4, frame->size() - 4}).value().value());
        }
        return all;
    }
    template <typename T>
    std::optional<T> hear() {
        for (const StreamMessage& each : heard())
            if (const T* found = std::get_if<T>(&each)) return *found;
        return std::nullopt;
    }
    // Its own round, up to its digests.
    Digests asked() {
        EXPECT_TRUE(say(Catalogue{store.targets}));
        heard();
        pass(milliseconds(300));
        return hear<Digests>().value();
    }
    static Digests digests(std::uint32_t round, std::vector<std::uint32_t> which = {3}) {
        Digests digests;
        digests.round = round;
        digests.joining = true;
        digests.which = std::move(which);
        digests.digests.assign(digests.which.empty() ? partitions : digests.which.size(), 1);
        digests.counts.assign(digests.digests.size(), 1);
        return digests;
    }

    MemoryStore store;
    ReplicaOptions options;
    Moment now{seconds(5)};
    std::unique_ptr<Replica> replica;
};

Batch batch(std::uint64_t number) {
    return {number, 0, 0, {}};
}

TEST(ReplicaHostile, Batches) {
    Victim victim;
    EXPECT_EQ(victim.refusal(batch(2)), "batch 2 comes after batch 0");
    EXPECT_EQ(victim.refusal(batch(1)), "");
    EXPECT_EQ(victim.refusal(batch(1)), "");
    EXPECT_EQ(victim.refusal(batch(3)), "batch 3 comes after batch 1");
    EXPECT_EQ(victim.refusal(Gap{9}), "");
    EXPECT_EQ(victim.refusal(Gap{8}), "a gap up to batch 8 after batch 9");
    EXPECT_EQ(victim.refusal(batch(11)), "batch 11 comes after batch 9");
}

TEST(ReplicaHostile, Acknowledgements) {
    Victim victim;
    EXPECT_EQ(victim.refusal(Ack{5, 0}), "batch 5 is acknowledged, but 0 were sent");
    EXPECT_EQ(victim.refusal(Ack{~std::uint64_t{0}, 0}),
              "batch 18446744073709551615 is acknowledged, but 0 were sent");
}

TEST(ReplicaHostile, AnswersToWhatWasNotAsked) {
    Victim victim;
    EXPECT_NE(victim.refusal(Differing{1, {}}), "");
    EXPECT_NE(victim.refusal(Repair{1, 3, true, 0, {}, {}}), "");
    EXPECT_NE(victim.refusal(Listing{1, 3, {}}), "");
    EXPECT_NE(victim.refusal(Supply{1, true, 0, {}}), "");
    EXPECT_EQ(victim.refusal(Victim::digests(1)), "digests before a catalogue");
}

TEST(ReplicaHostile, AnswersOfAnotherRound) {
    Victim victim;
    const Digests asked = victim.asked();
    EXPECT_NE(victim.refusal(Differing{asked.round + 1, {3}}), "");
    EXPECT_EQ(victim.refusal(Differing{asked.round - 1, {3}}), "");
    EXPECT_NE(victim.refusal(Repair{asked.round, 3, true, 0, {}, {}}), "");
    EXPECT_EQ(victim.refusal(Differing{asked.round, {3, 5}}), "");
    EXPECT_NE(victim.refusal(Differing{asked.round, {3, 5}}), "");
    EXPECT_NE(victim.refusal(Repair{asked.round, 4, true, 0, {}, {}}), "");
}

TEST(ReplicaHostile, MoreIsMissingThanWasListed) {
    Victim victim(5'000);
    const Digests asked = victim.asked();
    ASSERT_TRUE(victim.say(Differing{asked.round, {3}}));
    const Listing listing = victim.hear<Listing>().value();
    std::vector<std::uint64_t> missing(listing.fingerprints.size() + 1, 99);
    EXPECT_NE(victim.refusal(Repair{asked.round, 3, true, 0, {}, missing}), "");
}

TEST(ReplicaHostile, TheSameIsMissingAgainAndAgain) {
    Victim victim(5'000);
    const Digests asked = victim.asked();
    ASSERT_TRUE(victim.say(Differing{asked.round, {3}}));
    const auto missing = victim.hear<Listing>().value().fingerprints;
    ASSERT_FALSE(missing.empty());
    EXPECT_EQ(victim.refusal(Repair{asked.round, 3, false, 0, {}, missing}), "");
    EXPECT_NE(victim.refusal(Repair{asked.round, 3, false, 0, {}, missing}), "");
}

TEST(ReplicaHostile, RoundsThatGoBack) {
    Victim victim;
    ASSERT_TRUE(victim.say(Catalogue{victim.store.targets}));
    EXPECT_EQ(victim.refusal(Victim::digests(5)), "");
    EXPECT_EQ(victim.refusal(Victim::digests(5)), "round 5 begins after round 5");
    EXPECT_EQ(victim.refusal(Victim::digests(4)), "round 4 begins after round 5");
    EXPECT_EQ(victim.refusal(Victim::digests(6)), "");
}

TEST(ReplicaHostile, ListsThatWereNotAskedFor) {
    Victim victim;
    ASSERT_TRUE(victim.say(Catalogue{victim.store.targets}));
    ASSERT_TRUE(victim.say(Victim::digests(1, {3, 5, 7})));
    EXPECT_NE(victim.refusal(Listing{1, 3, {}}), "");  // before they were said to differ
    victim.pass(milliseconds(300));
    EXPECT_EQ(victim.hear<Differing>().value().which.size(), 3u);
    EXPECT_EQ(victim.refusal(Listing{0, 3, {}}), "");
    EXPECT_NE(victim.refusal(Listing{2, 3, {}}), "");
    EXPECT_NE(victim.refusal(Listing{1, 4, {}}), "");
    EXPECT_EQ(victim.refusal(Listing{1, 3, {}}), "");
    EXPECT_NE(victim.refusal(Listing{1, 3, {}}), "");
    EXPECT_NE(victim.refusal(Supply{1, true, 0, {}}), "");  // it has not compared them all
    EXPECT_FALSE(victim.replica->synced());
}

TEST(ReplicaHostile, TooManyListsAtOnce) {
    Victim victim;
    ASSERT_TRUE(victim.say(Catalogue{victim.store.targets}));
    ASSERT_TRUE(victim.say(Victim::digests(1, {})));
    victim.pass(milliseconds(300));
    ASSERT_EQ(victim.hear<Differing>().value().which.size(), partitions);
    std::vector<std::uint64_t> most(32'768);
    std::iota(most.begin(), most.end(), 1);
    std::uint32_t taken = 0;
    while (taken < 100 && victim.say(Listing{1, taken, most}))
        ++taken;
    EXPECT_EQ(taken, 4u);
}

// Whatever comes in whatever order: the replica goes on, and what it keeps stays within bounds.
TEST(ReplicaHostile, RandomMessages) {
    std::mt19937 random(3);
    const auto below = [&](std::uint32_t most) {
        return static_cast<std::uint32_t>(random() % most);
    };
    for (int history = 0; history < 200; ++history) {
        Victim victim(200);
        ASSERT_TRUE(victim.say(Catalogue{victim.store.targets}));
        const auto records = [&] {
            std::vector<SessionRecord> all;
            for (std::uint32_t i = below(20); i > 0; --i)
                all.push_back({static_cast<SessionRecord::Kind>(1 + below(5)), flow_of(below(300)),
                               100 * (1 + below(4)), below(20)});
            return all;
        };
        for (int i = 0; i < 300; ++i) {
            const std::uint32_t round = below(4);
            const std::uint32_t partition = below(4);
            switch (below(8)) {
                case 0:
                    (void)victim.say(Batch{below(4), below(100), 0, records()});
                    break;
                case 1:
                    (void)victim.say(
                        Victim::digests(below(40), below(2) ? std::vector<std::uint32_t>{}
                                                            : std::vector<std::uint32_t>{0, 1, 2}));
                    break;
                case 2:
                    (void)victim.say(Differing{round, {0, 1, 2}});
                    break;
                case 3:
                    (void)victim.say(Listing{below(40), partition, {1, 2, 3}});
                    break;
                case 4:
                    (void)victim.say(
                        Repair{round, partition, below(2) == 0, below(100), records(), {4}});
                    break;
                case 5:
                    (void)victim.say(Supply{below(40), below(2) == 0, below(100), records()});
                    break;
                case 6:
                    (void)victim.say(Gap{below(5)});
                    break;
                default:
                    (void)victim.say(Ack{below(5), 0});
                    break;
            }
            victim.pass(milliseconds(10));
            victim.heard();
            ASSERT_LE(victim.store.size(), 300u);
            ASSERT_FALSE(victim.replica->view(victim.now)[0].name.empty());
        }
    }
}

}  // namespace
}  // namespace bascule::sync
