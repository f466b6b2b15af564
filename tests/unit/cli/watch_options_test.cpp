// SPDX-License-Identifier: Apache-2.0
#include "cli/watch_options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bascule::cli {
namespace {

// The options, or nothing with the exit code.
std::optional<Options> parse(std::vector<std::string> words, int& code) {
    words.insert(words.begin(), "bascule");
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    auto options = parse_options(static_cast<int>(arguments.size()), arguments.data(), code);
    testing::internal::GetCapturedStderr();
    testing::internal::GetCapturedStdout();
    return options;
}

control::TraceRequest trace(const std::vector<std::string>& words) {
    int code = 0;
    const auto options = parse(words, code);
    const auto* task = options ? std::get_if<Ask>(&options->task) : nullptr;
    EXPECT_NE(task, nullptr) << code;
    return task != nullptr ? task->request.trace() : control::TraceRequest();
}

Capture capture(const std::vector<std::string>& words) {
    int code = 0;
    const auto options = parse(words, code);
    const auto* task = options ? std::get_if<Capture>(&options->task) : nullptr;
    EXPECT_NE(task, nullptr) << code;
    return task != nullptr ? *task : Capture();
}

TEST(TcpFlags, Words) {
    EXPECT_EQ(parse_tcp_flags("syn"), 2);
    EXPECT_EQ(parse_tcp_flags("fin,ack"), 17);
    EXPECT_EQ(parse_tcp_flags("syn+ack"), 18);
    EXPECT_EQ(parse_tcp_flags("none"), 0);
    for (const char* wrong : {"", "synn", "syn,", ",", "syn ack"})
        EXPECT_FALSE(parse_tcp_flags(wrong)) << wrong;
}

TEST(TraceOptions, ASynUnlessTold) {
    const auto ask = trace({"trace", "198.51.100.7", "40000", "10.9.0.100", "80"});
    EXPECT_EQ(ask.source(), "198.51.100.7");
    EXPECT_EQ(ask.source_port(), 40000U);
    EXPECT_EQ(ask.vip(), "10.9.0.100");
    EXPECT_EQ(ask.port(), 80U);
    EXPECT_EQ(ask.protocol(), control::PROTOCOL_TCP);
    EXPECT_EQ(ask.tcp_flags(), 2U);
    EXPECT_FALSE(ask.may_be_fragmented());
    EXPECT_EQ(ask.bytes(), 0U);
}

TEST(TraceOptions, AllThatCanBeTold) {
    const auto ask = trace({"trace", "2001:db8::7", "1", "fd09::1", "53", "udp", "--in", "eth1",
                            "--size", "1400", "--no-df", "--vlan", "100", "--flags", "none"});
    EXPECT_EQ(ask.protocol(), control::PROTOCOL_UDP);
    EXPECT_EQ(ask.interface(), "eth1");
    EXPECT_EQ(ask.bytes(), 1400U);
    EXPECT_TRUE(ask.may_be_fragmented());
    EXPECT_EQ(ask.vlan(), 100U);
    EXPECT_TRUE(ask.has_tcp_flags());
    EXPECT_EQ(ask.tcp_flags(), 0U);
}

TEST(TraceOptions, WrongOnesAreUsage) {
    const std::vector<std::vector<std::string>> wrong = {
        {"trace"},
        {"trace", "198.51.100.7", "40000", "10.9.0.100"},
        {"trace", "nonsense", "40000", "10.9.0.100", "80"},
        {"trace", "198.51.100.7", "0", "10.9.0.100", "80"},
        {"trace", "198.51.100.7", "65536", "10.9.0.100", "80"},
        {"trace", "198.51.100.7", "1", "10.9.0.100", "80", "sctp"},
        {"trace", "198.51.100.7", "1", "10.9.0.100", "80", "--flags", "sin"},
        {"trace", "198.51.100.7", "1", "10.9.0.100", "80", "--vlan", "4095"},
    };
    for (const auto& words : wrong) {
        int code = 0;
        EXPECT_FALSE(parse(words, code)) << testing::PrintToString(words);
        EXPECT_EQ(code, 2);
    }
}

TEST(CaptureOptions, NothingSaidIsTheDaemonsChoice) {
    const Capture task = capture({"capture"});
    EXPECT_TRUE(task.start.what().empty());
    EXPECT_EQ(task.file, "");
    EXPECT_EQ(task.count, 0U);
    EXPECT_EQ(task.start.seconds(), 0U);
}

TEST(CaptureOptions, AllThatCanBeTold) {
    const Capture task = capture(
        {"capture", "-w",         "x.pcapng", "--arrives", "--leaves",   "--client", "192.0.2.0/24",
         "--vip",   "10.9.0.100", "--port",   "80",        "--protocol", "tcp",      "--sample",
         "10",      "--snap",     "128",      "--count",   "5",          "--for",    "2m"});
    EXPECT_EQ(task.file, "x.pcapng");
    ASSERT_EQ(task.start.what_size(), 2);
    EXPECT_EQ(task.start.what(0), control::CAPTURE_ARRIVES);
    EXPECT_EQ(task.start.what(1), control::CAPTURE_LEAVES);
    EXPECT_EQ(task.start.client(), "192.0.2.0/24");
    EXPECT_EQ(task.start.vip(), "10.9.0.100");
    EXPECT_EQ(task.start.port(), 80U);
    EXPECT_EQ(task.start.protocol(), control::PROTOCOL_TCP);
    EXPECT_EQ(task.start.sample(), 10U);
    EXPECT_EQ(task.start.snap_bytes(), 128U);
    EXPECT_EQ(task.count, 5U);
    EXPECT_EQ(task.start.seconds(), 120U);
}

TEST(CaptureOptions, AReasonIsAboutDrops) {
    const Capture task = capture({"capture", "--reason", "no_backend", "--reason", "too_big"});
    ASSERT_EQ(task.start.what_size(), 1);
    EXPECT_EQ(task.start.what(0), control::CAPTURE_DROPPED);
    EXPECT_EQ(task.start.reasons_size(), 2);
}

TEST(CaptureOptions, WrongOnesAreUsage) {
    const std::vector<std::vector<std::string>> wrong = {
        {"capture", "--for", "2h"},  {"capture", "--for", "0"},      {"capture", "--port", "0"},
        {"capture", "--vip", "x"},   {"capture", "--protocol", "x"}, {"capture", "--snap", "10"},
        {"capture", "--count", "0"}, {"capture", "something"},
    };
    for (const auto& words : wrong) {
        int code = 0;
        EXPECT_FALSE(parse(words, code)) << testing::PrintToString(words);
        EXPECT_EQ(code, 2);
    }
}

}  // namespace
}  // namespace bascule::cli
