// SPDX-License-Identifier: Apache-2.0
// Nodes that decide each for itself have to come to one holder.
#include "tests/unit/sync/takeover_net.h"

namespace bascule::sync::test {
namespace {

class TakeoverCluster : public TakeoverNet {
protected:
    void run(const std::vector<std::uint32_t>& priorities) {
        make(priorities);
        start_all();
        pass(4s);
        forget_longest();
    }
};

TEST_F(TakeoverCluster, TwoThatBootAtOnce) {
    run({150, 100});
    EXPECT_EQ(holder(), "lb1");
    EXPECT_EQ(takings(), 1U);
}

TEST_F(TakeoverCluster, TwoEqualOnesThatBootAtOnce) {
    run({100, 100});
    EXPECT_EQ(holder(), "lb1");
    EXPECT_EQ(takings(), 1U);
}

TEST_F(TakeoverCluster, ThreeThatBootOneAfterTheOther) {
    make({100, 150, 200});
    start(0);
    pass(1s);
    EXPECT_EQ(holder(), "lb1");
    start(1);
    pass(4s);
    EXPECT_EQ(holder(), "lb2");
    start(2);
    pass(4s);
    EXPECT_EQ(holder(), "lb3");
    EXPECT_LE(longest_both, 1);
}

TEST_F(TakeoverCluster, EachTakesItsOwn) {
    make({150, 100});
    nodes[0].options.vips.push_back({other_vip, 100});
    nodes[1].options.vips.push_back({other_vip, 150});
    for (Node& node : nodes)
        node.fitness.vips.push_back({other_vip, true, true});
    start_all();
    pass(4s);
    EXPECT_EQ(nodes[0].takeover->view()[0].holder, "lb1");
    EXPECT_EQ(nodes[0].takeover->view()[1].holder, "lb2");
    EXPECT_EQ(nodes[1].takeover->view()[0].holder, "lb1");
    EXPECT_EQ(nodes[1].takeover->view()[1].holder, "lb2");
    EXPECT_EQ(takings(), 2U);
}

TEST_F(TakeoverCluster, TheNextTakesFromTheDead) {
    run({150, 100, 120});
    stop(0);
    pass(200ms);
    EXPECT_EQ(holder(), "lb3");
    EXPECT_LE(longest_none, 7);
    EXPECT_EQ(takings(), 2U);
    stop(2);
    pass(200ms);
    EXPECT_EQ(holder(), "lb2");
}

TEST_F(TakeoverCluster, WhoComesBackWaitsUntilItIsInStep) {
    run({150, 100});
    stop(0);
    pass(1s);
    start(0);
    nodes[0].fitness.synced = false;
    pass(20s);
    EXPECT_EQ(holder(), "lb2");
    nodes[0].fitness.synced = true;
    pass(2s);
    EXPECT_EQ(holder(), "lb1");
    EXPECT_LE(longest_both, 1);
    EXPECT_EQ(last_announced, 0U);
}

// Control does not know yet that they have found each other.
TEST_F(TakeoverCluster, AHealedSplitEndsWithOneWhateverTheySayOfBeingInStep) {
    run({150, 100});
    cut({0});
    pass(1s);
    EXPECT_EQ(holder(), "several");
    cut({0}, true);
    forget_longest();
    pass(500ms);
    EXPECT_EQ(holder(), "lb2") << "its epoch is higher";
    EXPECT_EQ(last_announced, 1U);
    EXPECT_LE(longest_both, 1);
    EXPECT_EQ(longest_none, 0);
    pass(5s);
    EXPECT_EQ(holder(), "lb1");
    EXPECT_EQ(last_announced, 0U);
    EXPECT_LE(longest_both, 1);
    EXPECT_EQ(longest_none, 0);
}

TEST_F(TakeoverCluster, AHealedSplitOfThree) {
    run({150, 100, 120});
    cut({0});
    pass(1s);
    EXPECT_EQ(holder(), "several");
    forget_longest();
    cut({0}, true);
    pass(500ms);
    EXPECT_EQ(holder(), "lb3");
    EXPECT_LE(longest_both, 1);
    EXPECT_EQ(longest_none, 0);
}

TEST_F(TakeoverCluster, OneWayLossEndsWithOneHolder) {
    for (const std::size_t dumb : {0U, 1U}) {
        run({150, 100});
        paths[dumb][1 - dumb] = false;
        pass(1s);
        const std::size_t before = takings();
        EXPECT_NE(holder(), "several") << dumb;
        EXPECT_NE(holder(), "nobody") << dumb;
        pass(1min);
        EXPECT_NE(holder(), "several") << dumb;
        EXPECT_EQ(takings(), before) << "not back and forth";
        paths[dumb][1 - dumb] = true;
        pass(5s);
        EXPECT_EQ(holder(), "lb1") << dumb;
    }
}

TEST_F(TakeoverCluster, OfThreeTwoThatDoNotHearEachOtherHaveOneHolder) {
    const std::vector<std::vector<std::uint32_t>> ranks = {{150, 100, 50}, {150, 50, 100},
                                                           {100, 150, 50}, {100, 50, 150},
                                                           {50, 100, 150}, {100, 100, 100}};
    for (const auto& priorities : ranks) {
        for (const int way : {1, 2, 3}) {
            run(priorities);
            if ((way & 1) != 0) paths[0][2] = false;
            if ((way & 2) != 0) paths[2][0] = false;
            pass(5s);
            const std::size_t before = takings();
            pass(20s);
            EXPECT_EQ(takings(), before) << "not back and forth";
            EXPECT_EQ(holders().size(), 1U);
            stop(1);
            pass(5s);
            EXPECT_GE(holders().size(), 1U) << "nobody joins them any more";
            start(1);
            pass(8s);
            EXPECT_EQ(holders().size(), 1U);
            paths[0][2] = paths[2][0] = true;
            pass(5s);
            EXPECT_EQ(holders().size(), 1U);
        }
    }
}

// Neither of two that boot hears that the other hears it.
TEST_F(TakeoverCluster, OneWayLossFromTheStart) {
    make({150, 100});
    paths[0][1] = false;
    start_all();
    pass(1min);
    EXPECT_EQ(holder(), "lb2");
    EXPECT_LE(takings(), 2U);
}

TEST_F(TakeoverCluster, TwoThatTakeAtOnceEndWithOne) {
    make({150, 100});
    start_all();
    for (Node& node : nodes)
        node.fitness.vips[0].carrier = false;
    pass(3s);
    // Each learns of the other's carrier only after it has decided.
    for (Node& node : nodes)
        node.fitness.vips[0].carrier = true;
    pass(5s);
    EXPECT_EQ(holder(), "lb1");
    EXPECT_LE(longest_both, 1);
    EXPECT_LE(takings(), 2U);
}

// lb1 and lb4 do not hear each other, and both take at the same moment what lb3 had: with the same
// epoch. lb2 hears both.
TEST_F(TakeoverCluster, OfTwoThatTakeAtOnceAThirdOneNamesTheFirst) {
    make({120, 90, 200, 150});
    start_all();
    pass(5s);
    ASSERT_EQ(holder(), "lb3");
    nodes[1].fitness.vips[0].carrier = false;
    paths[0][3] = paths[3][0] = false;
    pass(1s);
    stop(2);
    pass(300ms);
    EXPECT_EQ(holder(), "lb1") << "though lb4 has more priority: it does not hear lb1";
    EXPECT_GE(longest_both, 1) << "or nothing was tried";
    EXPECT_LE(longest_both, 3);
    pass(10s);
    EXPECT_EQ(holder(), "lb1");
    forget_longest();
    paths[0][3] = paths[3][0] = true;
    pass(5s);
    EXPECT_EQ(holder(), "lb4");
    EXPECT_LE(longest_both, 1);
    EXPECT_EQ(longest_none, 0);
}

TEST_F(TakeoverCluster, APlannedEndIsHandedOver) {
    run({150, 100});
    nodes[0].fitness.leaving = true;
    pass(200ms);
    EXPECT_EQ(holder(), "lb2");
    EXPECT_EQ(longest_none, 0);
    stop(0);
    pass(5s);
    EXPECT_EQ(holder(), "lb2");
}

TEST_F(TakeoverCluster, TheOperatorsWordMovesItThereAndBack) {
    run({150, 100});
    nodes[0].takeover->move(vip);
    pass(200ms);
    EXPECT_EQ(holder(), "lb2");
    pass(1min);
    EXPECT_EQ(holder(), "lb2") << "moved";
    nodes[0].takeover->move(vip);
    pass(1s);
    EXPECT_EQ(holder(), "lb1");
    nodes[1].takeover->move(vip);
    pass(1s);
    EXPECT_EQ(holder(), "lb2");
    nodes[1].takeover->move(vip);
    pass(1s);
    EXPECT_EQ(holder(), "lb1");
    EXPECT_EQ(longest_none, 0);
    EXPECT_LE(longest_both, 1);
    // Whoever has it dies: the word is over.
    nodes[0].takeover->move(vip);
    pass(1s);
    stop(1);
    pass(1s);
    EXPECT_EQ(holder(), "lb1");
}

TEST_F(TakeoverCluster, OneThatCannotTakeLeavesItToTheNext) {
    run({150, 120, 100});
    nodes[1].hands = false;  // its taking hangs
    stop(0);
    pass(2s);
    EXPECT_EQ(holder(), "lb3");
    EXPECT_EQ(count(1, VipMove::What::failed), 1U);
}

TEST_F(TakeoverCluster, WhoStoodStillFindsItTaken) {
    run({150, 100});
    nodes[0].stands_still = true;
    pass(1s);
    EXPECT_EQ(holder(), "lb2");
    nodes[0].stands_still = false;
    forget_longest();
    pass(900ms);
    EXPECT_EQ(holder(), "lb2");
    EXPECT_EQ(longest_both, 0) << "it lets go before it says anything";
    EXPECT_EQ(longest_none, 0);
    pass(5s);
    EXPECT_EQ(holder(), "lb1");
}

TEST_F(TakeoverCluster, WhoStoodStillAndWasNotReplacedTakesItAgain) {
    run({150, 100});
    nodes[1].fitness.synced = false;
    pass(100ms);
    for (Node& node : nodes)
        node.stands_still = true;
    pass(1s);
    forget_longest();
    for (Node& node : nodes)
        node.stands_still = false;
    pass(200ms);
    EXPECT_EQ(holder(), "lb1");
    EXPECT_LE(longest_none, 4);
}

TEST_F(TakeoverCluster, AWitnessThatRebootsTakesNobodyDown) {
    run({150, 100});
    for (const bool answers : {false, true}) {
        // One after the other, as each finds it out.
        for (Node& node : nodes) {
            node.fitness.witness = answers;
            pass(300ms);
        }
        pass(10s);
        EXPECT_EQ(longest_none, 0);
        EXPECT_LE(longest_both, 1);
    }
    EXPECT_EQ(holder(), "lb1");
}

TEST_F(TakeoverCluster, OfASplitWhoSeesTheWitnessHasIt) {
    for (const std::size_t blind : {0U, 1U}) {
        run({150, 100});
        cut({0});
        nodes[blind].fitness.witness = false;
        pass(1s);
        EXPECT_EQ(holder(), name(1 - blind));
        nodes[blind].fitness.witness = true;
        cut({0}, true);
        pass(5s);
        EXPECT_EQ(holder(), "lb1");
    }
}

TEST_F(TakeoverCluster, PeersWithOtherVips) {
    make({150, 100});
    nodes[1].options.vips = {{other_vip, 100}};
    nodes[1].fitness.vips = {{other_vip, true, true}};
    start_all();
    pass(4s);
    EXPECT_EQ(nodes[0].takeover->claims()[0].role, VipRole::holding);
    EXPECT_EQ(nodes[1].takeover->claims()[0].role, VipRole::holding);
    EXPECT_EQ(takings(), 2U);
}

TEST_F(TakeoverCluster, AsManyVipsAsThereMayBe) {
    make({150, 100});
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        nodes[i].options.vips.clear();
        nodes[i].fitness.vips.clear();
        for (VipId id = 1; id <= most_vips; ++id) {
            nodes[i].options.vips.push_back({id, id % 2 == i ? 150U : 100U});
            nodes[i].fitness.vips.push_back({id, true, true});
        }
    }
    start_all();
    pass(4s);
    for (VipId id = 1; id <= most_vips; ++id)
        EXPECT_EQ(nodes[0].takeover->view()[id - 1].holder, id % 2 == 0 ? "lb1" : "lb2") << id;
    stop(1);
    pass(1s);
    for (const VipClaim& claim : nodes[0].takeover->claims())
        EXPECT_EQ(claim.role, VipRole::holding);
}

}  // namespace
}  // namespace bascule::sync::test
