// SPDX-License-Identifier: Apache-2.0
// Takeover beside Membership without sockets: what is promised when heartbeats leave and when they
// do not, and what a node does that was away.
#include "sync/heartbeat_vips.h"

#include <map>

#include "tests/unit/sync/membership_bed.h"

namespace bascule::sync::test {
namespace {

constexpr VipId vip = 5;
constexpr Nanoseconds deadline = 5 * interval;

// lb1 with one VIP; lb2, as the bed plays it, says what a test lets it say.
class HeartbeatVips1 : public Membership1 {
protected:
    void start(VipRole of_peer) {
        begin();
        TakeoverOptions takeover;
        takeover.self = "lb1";
        takeover.interval = interval;
        takeover.vips = {{.vip = vip, .priority = 200}};
        HeartbeatPort::Callbacks callbacks;
        callbacks.on_duties = [this](std::vector<VipDuty> newest) {
            duty = newest.at(0);
            order += "duty ";
        };
        callbacks.set_deadlines = [this](std::span<const VipDeadline> newest) {
            for (const VipDeadline& one : newest)
                until[one.vip] = one.until;
            ++deadlines;
            order += "deadline ";
        };
        vips = std::make_unique<HeartbeatVips>(takeover, std::vector<std::string>{"lb2"}, callbacks,
                                               now);
        fit();
        peer_role = of_peer;
    }
    void fit(bool leaving = false) {
        OwnFitness fitness{.attached = true, .synced = true, .leaving = leaving, .vips = {}};
        fitness.vips = {{.vip = vip, .carrier = true}};
        inbox.fitness.put(std::make_unique<OwnFitness>(fitness));
    }
    // One turn of the thread: `reached` says whether what it sends leaves this host.
    void turn(bool reached = true) {
        if (duty.what == VipDuty::What::held && holding != duty.epoch) {
            holding = duty.epoch;
            inbox.holdings.put(std::make_unique<std::vector<VipHolding>>(std::vector<VipHolding>{
                {.vip = vip, .epoch = duty.epoch, .here = true, .problem = {}}}));
        }
        vips->read(inbox);
        if (now >= membership->next_tick()) {
            if (const auto slept = membership->overslept(now); slept > 0ns) look(slept, reached);
            on_tick(reached);
        }
        look(0ns, reached);
    }
    void on_tick(bool reached) {
        const auto out = membership->on_tick(now, wall);
        take(out);
        if (out.round) vips->sent_round(*membership, reached ? 1 : 0, now);
    }
    void look(Nanoseconds slept, bool reached) {
        if (!vips->look(*membership, slept, now)) return;
        const auto out = membership->speak(now, wall);
        take(out);
        if (out.round) vips->sent_round(*membership, reached ? 1 : 0, now);
    }
    // The peer speaks in the middle of each interval.
    void run(int intervals, bool reached = true, bool heard = true) {
        for (int i = 0; i < intervals; ++i) {
            now += interval / 2;
            if (heard) say();
            turn(reached);
            now += interval - interval / 2;
            turn(reached);
        }
    }
    void say() {
        Heartbeat heartbeat = made();
        heartbeat.claims = {{.vip = vip, .role = peer_role, .epoch = peer_epoch, .priority = 100}};
        hear(heartbeat);
    }
    void take_it(VipRole of_peer) {
        start(of_peer);
        run(100);
        ASSERT_EQ(duty.what, VipDuty::What::held);
        ASSERT_EQ(report().vips.at(0).role, VipRole::holding);
    }
    HeartbeatReport report() const {
        HeartbeatReport made;
        vips->add_to(made);
        return made;
    }
    bool found() { return until[vip] > now; }

    std::unique_ptr<HeartbeatVips> vips;
    HeartbeatInbox inbox;
    VipDuty duty;
    Epoch holding = 0;
    VipRole peer_role = VipRole::unfit;
    Epoch peer_epoch = 0;
    std::map<VipId, Moment> until;
    std::size_t deadlines = 0;
    std::string order;
};

TEST_F(HeartbeatVips1, ADeadlineCountsFromEachRoundThatHasLeft) {
    take_it(VipRole::ready);
    EXPECT_EQ(until[vip], now + deadline);
    for (int i = 0; i < 10; ++i) {
        run(1);
        EXPECT_EQ(until[vip], now + deadline);
    }
    const std::size_t before = deadlines;
    run(10);
    EXPECT_EQ(deadlines, before + 10);  // with each round, and not without
}

// It may have ended meanwhile, by an announcement that XDP alone has heard.
TEST_F(HeartbeatVips1, ADeadlineThatYieldsIsSaidOnce) {
    take_it(VipRole::ready);
    run(20, true, false);
    fit(true);
    run(1, true, false);
    const Moment parting = until[vip];
    EXPECT_GT(parting, now + lone_deadline);
    const std::size_t before = deadlines;
    run(20, true, false);
    EXPECT_EQ(deadlines, before);
    // One comes that can: what it is promised counts from each round again.
    run(3);
    EXPECT_LT(until[vip], now + deadline);
    EXPECT_GE(deadlines, before + 3);
}

// Nothing leaves: peers hear nothing, and one of them will take it when the deadline has passed.
TEST_F(HeartbeatVips1, WhatDoesNotLeaveRenewsNothing) {
    take_it(VipRole::ready);
    const Moment promised = until[vip];
    run(4, false);
    EXPECT_EQ(until[vip], promised);
    EXPECT_TRUE(found());
    run(2, false);
    EXPECT_EQ(until[vip], promised);
    EXPECT_FALSE(found());
}

// Some heartbeats less are no harm.
TEST_F(HeartbeatVips1, AQueueThatWasFullForAWhile) {
    take_it(VipRole::ready);
    const Epoch epoch = duty.epoch;
    run(2, false);
    run(20);
    EXPECT_EQ(duty.what, VipDuty::What::held);
    EXPECT_EQ(duty.epoch, epoch);
    EXPECT_EQ(until[vip], now + deadline);
}

// To its peers, whose heartbeats did not leave for so long was away: it lets go before it is found
// again, and does not take it from who has taken it.
TEST_F(HeartbeatVips1, WhoWasNotHeardForLongLetsGo) {
    take_it(VipRole::ready);
    const Epoch epoch = duty.epoch;
    run(20, false);
    ASSERT_FALSE(found());
    peer_role = VipRole::holding;
    peer_epoch = epoch + 1;
    now += interval;
    turn();  // the first that leaves again
    EXPECT_NE(duty.what, VipDuty::What::held);
    EXPECT_FALSE(found());
    run(50);
    EXPECT_NE(duty.what, VipDuty::What::held);
    EXPECT_FALSE(found());
    EXPECT_EQ(report().vips.at(0).holder, "lb2");
}

// Where no peer lives nobody takes anything: every round counts, whether it leaves or not.
TEST_F(HeartbeatVips1, WhoCannotSpeakIsNotVouchedFor) {
    take_it(VipRole::ready);
    EXPECT_LT(now, vips->speaks_until());
    run(4, false);
    EXPECT_LT(now, vips->speaks_until());
    run(1, false);
    EXPECT_GE(now, vips->speaks_until());
    run(1);
    EXPECT_LT(now, vips->speaks_until());
}

TEST_F(HeartbeatVips1, WhoIsAloneIsFoundThoughNothingLeaves) {
    take_it(VipRole::ready);
    const Epoch epoch = duty.epoch;
    run(30, true, false);
    ASSERT_EQ(membership->liveness(0), Liveness::dead);
    run(200, false, false);
    EXPECT_TRUE(found());
    EXPECT_EQ(duty.what, VipDuty::What::held);
    EXPECT_EQ(duty.epoch, epoch);
}

// A long sleep: before it says a word, it lets go, and its first heartbeat says so.
TEST_F(HeartbeatVips1, WhoSleptLetsGoBeforeItSpeaks) {
    take_it(VipRole::ready);
    now += 600ms;
    const std::uint64_t before = last[0].sequence;
    order.clear();
    turn();
    EXPECT_EQ(order.substr(0, 14), "deadline duty ");
    EXPECT_NE(duty.what, VipDuty::What::held);
    EXPECT_FALSE(found());
    EXPECT_GT(last[0].sequence, before);
    ASSERT_EQ(last[0].claims.size(), 1u);
    EXPECT_FALSE(has_it(last[0].claims[0].role));
}

// What a peer has said before that sleep, and what has waited since, is not heard after it.
TEST_F(HeartbeatVips1, WhatHasWaitedMeanwhileIsNoAnswer) {
    take_it(VipRole::ready);
    std::vector<Heartbeat> waiting;
    for (int i = 0; i < 30; ++i) {
        now += interval;
        waiting.push_back(made());
        waiting.back().claims = {{.vip = vip, .role = VipRole::ready, .priority = 100}};
    }
    now += interval;
    for (const Heartbeat& heartbeat : waiting)
        hear(heartbeat);
    turn();
    ASSERT_NE(duty.what, VipDuty::What::held);
    now += 1ms;
    for (const Heartbeat& heartbeat : waiting)  // and the network brings them again
        hear(heartbeat);
    turn();
    EXPECT_NE(duty.what, VipDuty::What::held);
    run(100);
    EXPECT_EQ(duty.what, VipDuty::What::held);  // nobody had taken it
}

TEST_F(HeartbeatVips1, LettingGoIsNotPutOffUntilTheNextRound) {
    take_it(VipRole::ready);
    run(1);
    now += 3ms;
    peer_role = VipRole::holding;
    peer_epoch = duty.epoch + 1;
    say();
    order.clear();
    ASSERT_LT(now, membership->next_tick());
    turn();
    EXPECT_EQ(order, "deadline duty ");
    EXPECT_FALSE(found());
    EXPECT_FALSE(has_it(last[0].claims.at(0).role));  // spoken out of turn
}

TEST_F(HeartbeatVips1, AReportHasEachMoveOnce) {
    take_it(VipRole::ready);
    HeartbeatReport made;
    EXPECT_FALSE(vips->has_news());  // take_it() has looked
    EXPECT_GE(report().highest_epoch, duty.epoch);
    fit(true);
    now += 1ms;
    turn();
    EXPECT_TRUE(vips->has_news());
    vips->add_to(made);
    ASSERT_EQ(made.moves.size(), 1u);
    EXPECT_EQ(made.moves[0].what, VipMove::What::offered);
    EXPECT_FALSE(vips->has_news());
    vips->add_to(made);  // was not read: nothing is lost, nothing comes twice
    EXPECT_EQ(made.moves.size(), 1u);
    EXPECT_EQ(made.moves_lost, 0u);
}

// Any order of the operator's that comes by the mail; and one for a VIP that is not there.
TEST_F(HeartbeatVips1, TheOperatorsWord) {
    take_it(VipRole::ready);
    EXPECT_TRUE(inbox.moves.put(vip));
    EXPECT_TRUE(inbox.moves.put(vip + 1));
    now += 1ms;
    turn();
    EXPECT_EQ(last[0].claims.at(0).role, VipRole::offering);
    EXPECT_TRUE(found());
}

TEST_F(HeartbeatVips1, OtherOptions) {
    take_it(VipRole::ready);
    auto options = std::make_unique<TakeoverOptions>();
    options->self = "lb1";
    options->interval = interval;
    options->vips = {{.vip = vip + 1, .priority = 200}};
    inbox.takeover.put(std::move(options));
    now += 1ms;
    turn();
    const HeartbeatReport made = report();
    ASSERT_EQ(made.vips.size(), 1u);
    EXPECT_EQ(made.vips[0].vip, vip + 1);
}

}  // namespace
}  // namespace bascule::sync::test
