// SPDX-License-Identifier: Apache-2.0
// Probes that come back, since their server has no such VIP and forwards: they are dropped and
// noted, and are nobody's new flow.
#include <gtest/gtest.h>

#include "probe_scene.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;
using Parameter = std::tuple<Family, Protocol>;

class ProbesBounced : public ProbeScene, public ::testing::WithParamInterface<Parameter> {
protected:
    void SetUp() override {
        ProbeScene::SetUp();
        if (HasFatalFailure()) return;
        serve_one(served());
        send(probed());
    }
    Served served() const {
        Served served;
        served.family = std::get<0>(GetParam());
        served.protocol = std::get<1>(GetParam());
        return served;
    }
    void expect_bounced(const Bytes& frame) {
        expect_untouched(frame, Verdict::drop);
        expect_counts({"probe"});
        expect_note(BSC_PROBE_BOUNCED);
        EXPECT_TRUE(engine().sessions().empty());
    }
    // It goes to the backend, as a client's does.
    void expect_balanced(const Bytes& frame) {
        const dataplane::ProbeNote before = note();
        expect_delivered(frame, l2_way());
        EXPECT_EQ(engine().counted().count("probe"), 0U);
        EXPECT_TRUE(note() == before);
        EXPECT_EQ(engine().sessions().size(), 1U);
    }
};

INSTANTIATE_TEST_SUITE_P(All, ProbesBounced,
                         ::testing::Combine(::testing::Values(ipv4_family(), ipv6_family()),
                                            ::testing::Values(Protocol::tcp, Protocol::udp)),
                         [](const auto& test) {
                             return std::get<0>(test.param).name +
                                    (std::get<1>(test.param) == Protocol::tcp ? "_tcp" : "_udp");
                         });

TEST_P(ProbesBounced, AreDroppedAndNoted) {
    expect_bounced(sent_to_vip(probed()));
    Probed later = probed();
    later.flags = ack;
    expect_bounced(sent_to_vip(later));
    expect_bounced(packet(Frame().vlan(100), node(), family().vip, probed()));
}

TEST_P(ProbesBounced, AtAPortWithoutAService) {
    Probed rewritten = probed();
    rewritten.destination = rewritten_port;
    expect_bounced(sent_to_vip(rewritten));
}

TEST_P(ProbesBounced, WhereNobodyServes) {
    Served empty = served();
    empty.has_backend = false;
    empty.on_empty = model::OnEmpty::reset;
    serve({empty});
    engine().counted();
    expect_bounced(sent_to_vip(probed()));
}

TEST_P(ProbesBounced, OtherFlowsOfTheNodeAreBalanced) {
    Probed other = probed();
    other.source = probe_port + 1;
    expect_balanced(sent_to_vip(other));
}

TEST_P(ProbesBounced, ClientsWithTheProbesPortAreBalanced) {
    expect_balanced(packet(Frame(), family().client, family().vip, probed()));
}

// The gate is what clients' flows pay for: it has to be asked.
TEST_P(ProbesBounced, FlowsFromWhereNoProbesComeAreBalanced) {
    send(probed());
    prober().forget_sources();
    expect_balanced(sent_to_vip(probed()));
}

TEST_P(ProbesBounced, ForAnotherStationAreLinuxs) {
    const dataplane::ProbeNote before = note();
    expect_untouched(packet(Frame(stack_mac), node(), family().vip, probed()), Verdict::pass);
    expect_counts({"other_host"});
    EXPECT_TRUE(note() == before);
}

TEST_P(ProbesBounced, AreTracedWithoutATrace) {
    expect_traced(sent_to_vip(probed()), Verdict::drop);
    Probed rewritten = probed();
    rewritten.destination = rewritten_port;
    engine().counted();
    expect_traced(sent_to_vip(rewritten), Verdict::drop);
}

}  // namespace

}  // namespace bascule::test
