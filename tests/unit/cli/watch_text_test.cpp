// SPDX-License-Identifier: Apache-2.0
// What `trace` and `capture` show.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "cli/capture_text.h"
#include "cli/trace.h"

namespace bascule::cli {
namespace {

// 198.51.100.7:40000 > 10.9.0.100:80, SYN.
std::string syn_frame() {
    const unsigned char bytes[] = {
        2, 0,  0,    0, 0,  1,    2, 0, 0,   0,  0,    0xfe, 8,    0,    0x45, 0,   0,    40,
        0, 1,  0x40, 0, 64, 6,    0, 0, 198, 51, 100,  7,    10,   9,    0,    100, 0x9c, 0x40,
        0, 80, 0,    0, 3,  0xe8, 0, 0, 0,   0,  0x50, 2,    0xfa, 0xf0, 0,    0,   0,    0};
    return {reinterpret_cast<const char*>(bytes), sizeof(bytes)};
}

control::Traced some_trace() {
    control::Traced traced;
    traced.set_delivered(true);
    traced.set_verdict("tx");
    traced.set_summary("delivered to web/web1, out of eth0");
    traced.set_interface("eth0");
    traced.set_out("eth0");
    traced.set_service("web");
    traced.set_backend("web1");
    traced.set_frame_in(syn_frame());
    traced.set_frame_out(syn_frame());
    traced.set_ring_slot(7);
    traced.set_ring_size(1021);
    auto& step = *traced.add_steps();
    step.set_step("service");
    step.set_text("web " + std::string(150, 'x') + " and more words");
    step.add_details("a detail\x1b[31m");
    return traced;
}

TEST(RenderTrace, FitsTheScreenAndIsHarmless) {
    const std::string text = render_trace(some_trace(), {100, false, 0, false});
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(line, "delivered to web/web1, out of eth0");
    while (std::getline(lines, line))
        EXPECT_LE(line.size(), 100U) << line;
    EXPECT_NE(
        text.find("packet    198.51.100.7:40000 > 10.9.0.100:80 tcp syn, 0 bytes, in by eth0"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("on the wire, out of eth0\n  ethernet"), std::string::npos) << text;
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(RenderTrace, WhatDoesNotLeaveHasNoWire) {
    control::Traced traced = some_trace();
    traced.set_delivered(false);
    traced.clear_out();
    traced.clear_frame_out();
    EXPECT_EQ(render_trace(traced, {100, false, 0, false}).find("on the wire"), std::string::npos);
    EXPECT_TRUE(json_trace(traced)["out"].is_null());
}

TEST(JsonTrace, Members) {
    const Json document = json_trace(some_trace());
    EXPECT_EQ(document["delivered"], true);
    EXPECT_EQ(document["verdict"], "tx");
    EXPECT_EQ(document["service"], "web");
    EXPECT_EQ(document["backend"], "web1");
    EXPECT_TRUE(document["drop"].is_null());
    EXPECT_EQ(document["ring"]["slot"], 7);
    EXPECT_EQ(document["steps"][0]["step"], "service");
    EXPECT_EQ(document["out"]["interface"], "eth0");
    EXPECT_EQ(document["out"]["layers"][2]["layer"], "tcp");
    EXPECT_EQ(document["in"]["frame"].get<std::string>().substr(0, 12), "020000000001");
}

control::CapturedPacket packet(control::CaptureWhat what) {
    control::CapturedPacket packet;
    packet.set_what(what);
    packet.set_unix_nanoseconds(1'000'000'000'123'456'789);
    packet.set_interface("eth0");
    packet.set_frame(syn_frame());
    packet.set_frame_bytes(54);
    return packet;
}

TEST(CaptureLine, EachKind) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    auto sent = packet(control::CAPTURE_LEAVES);
    sent.set_service("web");
    sent.set_backend("web1");
    EXPECT_EQ(line_of(sent, false),
              "01:46:40.123456 leaves  eth0 198.51.100.7:40000 > 10.9.0.100:80 tcp syn, 0 bytes: "
              "web/web1");
    auto dropped = packet(control::CAPTURE_DROPPED);
    dropped.set_service("web");
    dropped.set_drop("no_backend");
    EXPECT_EQ(fate_of(dropped), "no_backend (web)");
    EXPECT_STREQ(what_of(dropped), "dropped");
    auto answered = packet(control::CAPTURE_LEAVES);
    answered.set_answered(true);
    answered.set_drop("too_big");
    EXPECT_STREQ(what_of(answered), "answer");
    EXPECT_EQ(fate_of(answered), "too_big");
    auto passed = packet(control::CAPTURE_PASSED);
    passed.add_events("vip_no_service");
    EXPECT_EQ(fate_of(passed), "vip_no_service");
    EXPECT_EQ(fate_of(packet(control::CAPTURE_ARRIVES)), "");
}

TEST(CaptureLine, NamesAreMadeHarmless) {
    auto sent = packet(control::CAPTURE_LEAVES);
    sent.set_service("we\x1b[2Jb");
    sent.set_interface("et\nh0");
    const std::string line = line_of(sent, false);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(CaptureJson, Members) {
    auto dropped = packet(control::CAPTURE_DROPPED);
    dropped.set_drop("no_backend");
    const Json document = json_packet(dropped);
    EXPECT_EQ(document["what"], "dropped");
    EXPECT_EQ(document["drop"], "no_backend");
    EXPECT_TRUE(document["backend"].is_null());
    EXPECT_EQ(document["time"], 1'000'000'000);
    EXPECT_EQ(document["nanoseconds"], 123'456'789);
    EXPECT_EQ(document["bytes"], 54);
}

}  // namespace
}  // namespace bascule::cli
