// SPDX-License-Identifier: Apache-2.0
#include "node/trace_words.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace bascule::node {
namespace {

using dataplane::Traced;
using dataplane::Verdict;

control::Backend web(int number, control::BackendState state = control::BACKEND_UP) {
    control::Backend backend;
    backend.set_service("web");
    backend.set_name("web" + std::to_string(number));
    backend.set_address("10.9.0.2" + std::to_string(number));
    backend.set_state(state);
    backend.set_weight(100);
    backend.set_mode("l2");
    backend.set_mac("02:00:00:00:0b:01");
    backend.set_interface("eth0");
    backend.set_mtu(1500);
    return backend;
}

TraceFacts facts() {
    TraceFacts facts;
    facts.destination = "10.9.0.100";
    facts.port = 80;
    facts.vip_held = true;
    facts.service.emplace();
    facts.service->set_ports("80");
    facts.service->set_protocol(control::PROTOCOL_TCP);
    facts.service->set_name("web");
    facts.service->set_mode("l2");
    facts.service->set_affinity("flow");
    facts.service->set_unknown("rehash");
    facts.backends = {web(1), web(2)};
    facts.backend = web(2);
    facts.in = facts.out = "eth0";
    return facts;
}

// Delivered to a new flow's backend.
Traced delivered() {
    Traced traced;
    traced.verdict = Verdict::tx;
    auto& notes = traced.notes;
    notes.steps = BSC_STEP_VIP | BSC_STEP_SERVICE | BSC_STEP_PICKED;
    notes.vip = 1;
    notes.service = 0;
    notes.ring_slot = 17;
    notes.ring_size = 65537;
    notes.backend = 2;
    return traced;
}

Traced dropped(bsc_drop_reason reason) {
    bsc_notes raw{};
    raw.steps = BSC_STEP_VIP | BSC_STEP_SERVICE;
    raw.vip = 1;
    raw.drop = static_cast<__u32>(reason);
    raw.ring_slot = BSC_NONE;
    Traced traced;
    traced.verdict = Verdict::drop;
    traced.notes = dataplane::notes_of(raw, 0);
    return traced;
}

// Texts by step, details behind a line end each.
std::map<std::string, std::string> steps_of(const control::Traced& words) {
    std::map<std::string, std::string> steps;
    for (const auto& step : words.steps()) {
        std::string text = step.text();
        for (const auto& detail : step.details())
            text += "\n" + detail;
        steps[step.step()] = text;
    }
    return steps;
}

TEST(TraceWords, ANewFlow) {
    const auto words = put_in_words(delivered(), facts());
    EXPECT_TRUE(words.delivered());
    EXPECT_EQ(words.summary(), "delivered to web/web2, out of eth0");
    EXPECT_EQ(words.out(), "eth0");
    EXPECT_EQ(words.service(), "web");
    EXPECT_EQ(words.backend(), "web2");
    auto steps = steps_of(words);
    EXPECT_EQ(steps["vip"], "10.9.0.100 is held by this node");
    EXPECT_EQ(steps["service"],
              "web (80/tcp), by its own port; forward l2, affinity flow, unknown rehash");
    EXPECT_EQ(steps["session"], "none");
    EXPECT_EQ(steps["ring"], "slot 17 of 65537");
    EXPECT_EQ(steps["backend"], "web/web2, 10.9.0.22, up, weight 100");
    EXPECT_EQ(steps["delivery"], "l2, to 02:00:00:00:0b:01, by eth0, mtu 1500");
    EXPECT_FALSE(steps.contains("dropped"));
}

TEST(TraceWords, ASessionDecides) {
    Traced traced = delivered();
    traced.notes.steps = BSC_STEP_VIP | BSC_STEP_SERVICE_RANGE | BSC_STEP_SESSION;
    traced.notes.ring_slot.reset();
    traced.notes.session = dataplane::NotedSession{BSC_ESTABLISHED, true, 2, 1, 12};
    TraceFacts known = facts();
    known.session_backend = "web/web2";
    auto steps = steps_of(put_in_words(traced, known));
    EXPECT_EQ(steps["session"], "established, idle for 12 s, web/web2, from a peer");
    EXPECT_EQ(steps["service"].find("web (80/tcp), by its range of ports;"), 0U);
    EXPECT_FALSE(steps.contains("ring"));
}

TEST(TraceWords, ASessionThatMoves) {
    Traced traced = delivered();
    traced.notes.steps |= BSC_STEP_SESSION_MOVES;
    traced.notes.session = dataplane::NotedSession{BSC_ESTABLISHED, false, 1, 1, 3};
    auto steps = steps_of(put_in_words(traced, facts()));
    EXPECT_EQ(steps["session"],
              "established, idle for 3 s, its backend is gone; its backend takes no packets: it "
              "moves");
    EXPECT_TRUE(steps.contains("ring"));
}

TEST(TraceWords, ATunnelWithAnotherPort) {
    Traced traced = delivered();
    traced.notes.steps |= BSC_STEP_PORT_REWRITTEN | BSC_STEP_ENCAPSULATED | BSC_STEP_MSS_CLAMPED;
    traced.notes.forward = BSC_FORWARD_GUE;
    TraceFacts known = facts();
    known.backend->set_mode("gue");
    known.backend->set_tunnel_source("10.9.0.0/24");
    known.backend->set_via("10.9.0.1");
    known.backend->set_vlan(100);
    known.backend->set_rewritten_port(25001);
    const auto words = put_in_words(traced, known);
    EXPECT_TRUE(words.encapsulated());
    EXPECT_EQ(steps_of(words)["delivery"],
              "gue from 10.9.0.0/24 to 10.9.0.22, to 02:00:00:00:0b:01 (gateway 10.9.0.1), by "
              "eth0, vlan 100, mtu 1500\ndestination port 80 becomes 25001\nmaximum segment size "
              "lowered");
}

TEST(TraceWords, ThisHostItself) {
    Traced traced = delivered();
    traced.verdict = Verdict::pass;
    traced.notes.forward = BSC_FORWARD_LOCAL;
    const auto words = put_in_words(traced, facts());
    EXPECT_TRUE(words.delivered());
    EXPECT_EQ(words.summary(), "delivered to web/web2: this host's own stack");
    EXPECT_EQ(words.out(), "");
}

TEST(TraceWords, NoBackendSaysWhatTheyAllAre) {
    TraceFacts known = facts();
    known.backend.reset();
    known.backends = {web(1, control::BACKEND_DRAINED), web(2, control::BACKEND_UNRESOLVED)};
    known.backends[1].set_reason("no answer to ARP");
    const auto words = put_in_words(dropped(BSC_DROP_NO_BACKEND), known);
    EXPECT_FALSE(words.delivered());
    EXPECT_EQ(words.drop(), "no_backend");
    EXPECT_EQ(words.summary(),
              "dropped: no_backend: no backend of the service can take a new flow");
    EXPECT_EQ(steps_of(words)["dropped"],
              "no_backend\n"
              "web/web1: drained\n"
              "web/web2: unresolved: no answer to ARP");
}

TEST(TraceWords, NoBackendForWantOfAQuorumSaysSo) {
    TraceFacts known = facts();
    known.backend.reset();
    known.service->set_quorum(2);
    known.service->set_able(1);
    known.service->set_below_quorum(true);
    known.backends = {web(1, control::BACKEND_UP), web(2, control::BACKEND_DOWN)};
    const auto words = put_in_words(dropped(BSC_DROP_NO_BACKEND), known);
    EXPECT_EQ(steps_of(words)["dropped"],
              "no_backend\n"
              "1 of the 2 backends that its quorum needs can serve\n"
              "web/web1: up\n"
              "web/web2: down");
}

TEST(TraceWords, ManyBackendsAreNotAllListed) {
    TraceFacts known = facts();
    known.backends.assign(40, web(1, control::BACKEND_DOWN));
    const auto text = steps_of(put_in_words(dropped(BSC_DROP_NO_BACKEND), known))["dropped"];
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 13);
    EXPECT_NE(text.find("and 28 more"), std::string::npos);
}

TEST(TraceWords, AnAnswerIsNoDelivery) {
    Traced traced = dropped(BSC_DROP_TOO_BIG);
    traced.verdict = Verdict::tx;
    traced.notes.backend = 2;
    const auto words = put_in_words(traced, facts());
    EXPECT_FALSE(words.delivered());
    EXPECT_TRUE(words.answered());
    EXPECT_EQ(words.out(), "eth0");
    EXPECT_EQ(
        words.summary(),
        "not delivered, the client is told: too_big: does not fit the way to the backend: the "
        "client was told by ICMP");
    EXPECT_NE(steps_of(words)["dropped"].find("1500 bytes"), std::string::npos);
}

TEST(TraceWords, WhatIsBrokenWasNotLookedUp) {
    Traced traced = dropped(BSC_DROP_TCP_FLAGS);
    traced.notes.service.reset();
    EXPECT_FALSE(steps_of(put_in_words(traced, facts())).contains("service"));
    traced = dropped(BSC_DROP_NOT_HELD);
    traced.notes.service.reset();
    EXPECT_EQ(steps_of(put_in_words(traced, facts()))["service"], "none fits port and protocol");
}

TEST(TraceWords, GivenToLinux) {
    Traced traced;
    traced.verdict = Verdict::pass;
    TraceFacts known;
    known.destination = "10.9.0.7";
    const auto foreign = put_in_words(traced, known);
    EXPECT_FALSE(foreign.delivered());
    EXPECT_EQ(foreign.summary(), "given to Linux: not for a VIP");
    EXPECT_EQ(steps_of(foreign)["vip"], "10.9.0.7 is no VIP here");

    traced.notes.vip = 1;
    traced.notes.events = 1ULL << BSC_EVENT_VIP_NO_SERVICE;
    known.vip_held = true;
    const auto unserved = put_in_words(traced, known);
    EXPECT_EQ(unserved.summary(), "given to Linux: for a VIP but for no service");
    EXPECT_EQ(steps_of(unserved)["service"], "none fits port and protocol");
    ASSERT_EQ(unserved.events_size(), 1);
    EXPECT_EQ(unserved.events(0), "vip_no_service");
}

}  // namespace
}  // namespace bascule::node
