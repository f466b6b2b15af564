// SPDX-License-Identifier: Apache-2.0
// The fuzzer's judge can condemn: whatever is changed in a frame that left, in its verdict or in
// what was counted is noticed.
#include "oracle.h"

#include <gtest/gtest.h>

#include <random>

#include "mutator.h"
#include "world.h"

namespace bascule::test {

namespace {

class Judge : public Scene {
protected:
    bool begins_with_usual_tables() const override { return false; }
    void SetUp() override {
        Scene::SetUp();
        want(tables_.desired());
        engine().counted();
    }
    static Drops drops_in(const Counts& counts) {
        Drops drops;
#define X(symbol, shown, text) \
    if (counts.contains(shown)) drops[shown] = counts.at(shown);
        BSC_DROP_REASONS(X)
#undef X
        return drops;
    }
    // What a sender may choose freely shows in these bytes.
    bool is_free(const Bytes& before, const Bytes& after) const {
        const FuzzService* service = tables_.by_station(destination_of(before));
        if (service == nullptr || service != tables_.by_station(destination_of(after)))
            return false;
        const Chosen was = chosen_in(before, service->served.way);
        const Chosen is = chosen_in(after, service->served.way);
        return was.address_bits != is.address_bits || was.flow_hash != is.flow_hash ||
               was.id != is.id;
    }

    FuzzTables tables_;
};

TEST_F(Judge, NoticesWhateverIsChanged) {
    constexpr int packets = 3000;
    const Oracle oracle(tables_);
    Mutator mutator(tables_, 1);
    std::mt19937 random(1);
    int tampered_with = 0;
    for (int i = 0; i < packets; i++) {
        const Bytes in = mutator.next();
        Outcome outcome = engine().run(in);
        const Drops drops = drops_in(engine().counted());
        ASSERT_EQ(oracle.judge(in, outcome, drops), std::nullopt) << hex(in);

        Outcome tampered = outcome;
        std::uint8_t& byte = tampered.frame.at(random() % tampered.frame.size());
        byte = static_cast<std::uint8_t>(byte ^ 1U << random() % 8);
        const bool leaves = outcome.verdict != Verdict::drop;
        if (leaves && !is_free(outcome.frame, tampered.frame)) {
            EXPECT_NE(oracle.judge(in, tampered, drops), std::nullopt) << hex(in) << "\n"
                                                                       << hex(tampered.frame);
            tampered_with++;
        }
        if (outcome.verdict == Verdict::tx) {
            tampered = outcome;
            tampered.frame.push_back(0);
            EXPECT_NE(oracle.judge(in, tampered, drops), std::nullopt);
        }
        Drops other = drops;
        other["fragment"]++;
        EXPECT_NE(oracle.judge(in, outcome, other), std::nullopt) << hex(in);
        tampered = outcome;
        tampered.verdict = Verdict::aborted;
        EXPECT_NE(oracle.judge(in, tampered, drops), std::nullopt);
        tampered.verdict = outcome.verdict == Verdict::drop ? Verdict::pass : Verdict::drop;
        if (drops.empty() || tampered.verdict == Verdict::pass) {  // else: an answer is a drop
            EXPECT_NE(oracle.judge(in, tampered, drops), std::nullopt) << hex(in);
        }
    }
    EXPECT_GT(tampered_with, packets / 4);
}

// A frame for one service that leaves to the backend of another.
TEST_F(Judge, NoticesTheWrongBackend) {
    const Oracle oracle(tables_);
    for (const FuzzService& service : tables_.services()) {
        if (!service.served.has_backend) continue;
        Way way = service.served.way;
        if (way.forward == model::Forward::local) continue;
        const Bytes in = web_frame(service.served.family, {.destination = 9, .flags = ack});
        const Outcome outcome{std::string(service.served.interface) == first_interface
                                  ? Verdict::tx
                                  : Verdict::redirect,
                              delivered_frame(in, way)};
        EXPECT_NE(oracle.judge(in, outcome, {}), std::nullopt);
    }
}

}  // namespace

}  // namespace bascule::test
