// SPDX-License-Identifier: Apache-2.0
// What a request for a capture becomes. (The capture itself is tested where packets are.)
#include "node/capture.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

using control::CaptureStartRequest;

dataplane::CaptureFilter filter(const CaptureStartRequest& ask) {
    auto filter = filter_of(ask);
    EXPECT_TRUE(filter) << filter.error().text();
    return filter ? *filter : dataplane::CaptureFilter();
}

std::string problem(const CaptureStartRequest& ask) {
    const auto filter = filter_of(ask);
    return filter ? std::string() : filter.error().text();
}

TEST(CaptureFilter, EveryPacketOnceUnlessTold) {
    const auto made = filter({});
    EXPECT_EQ(made.what, BSC_CAPTURE_LEAVES | BSC_CAPTURE_DROPPED | BSC_CAPTURE_PASSED);
    EXPECT_EQ(made.reasons, 0U);
    EXPECT_FALSE(made.client);
    EXPECT_FALSE(made.vip);
    EXPECT_EQ(made.port, 0);
    EXPECT_EQ(made.protocol, 0);
    EXPECT_EQ(made.sample, 1U);
    EXPECT_EQ(made.snap_bytes, dataplane::most_snap_bytes);
}

TEST(CaptureFilter, EachField) {
    CaptureStartRequest ask;
    ask.add_what(control::CAPTURE_ARRIVES);
    ask.add_what(control::CAPTURE_DROPPED);
    ask.add_reasons("no_backend");
    ask.add_reasons("ip_header");
    ask.set_client("192.0.2.7/24");
    ask.set_vip("fd09::100");
    ask.set_port(80);
    ask.set_protocol(control::PROTOCOL_UDP);
    ask.set_sample(10);
    ask.set_snap_bytes(100);
    const auto made = filter(ask);
    EXPECT_EQ(made.what, BSC_CAPTURE_ARRIVES | BSC_CAPTURE_DROPPED);
    EXPECT_EQ(made.reasons, 1ULL << BSC_DROP_NO_BACKEND | 1ULL << BSC_DROP_IP_HEADER);
    ASSERT_TRUE(made.client);
    EXPECT_EQ(made.client->first.to_string(), "192.0.2.0");
    EXPECT_EQ(made.client->second, 120U);
    EXPECT_EQ(made.vip->to_string(), "fd09::100");
    EXPECT_EQ(made.port, 80);
    EXPECT_EQ(made.protocol, 17);
    EXPECT_EQ(made.sample, 10U);
    EXPECT_EQ(made.snap_bytes, 100U);
}

TEST(CaptureFilter, OfAFrameThereIsEnoughAndNotTooMuch) {
    CaptureStartRequest ask;
    ask.set_snap_bytes(1);
    EXPECT_EQ(filter(ask).snap_bytes, 64U);
    ask.set_snap_bytes(1'000'000);
    EXPECT_EQ(filter(ask).snap_bytes, dataplane::most_snap_bytes);
}

TEST(CaptureFilter, WhatMakesNoSense) {
    CaptureStartRequest ask;
    ask.add_reasons("nonsense");
    EXPECT_NE(problem(ask).find("'nonsense'"), std::string::npos);
    ask = {};
    ask.set_client("x");
    EXPECT_NE(problem(ask).find("'x'"), std::string::npos);
    // It would let all of IPv4 in, which stands v4-mapped.
    ask.set_client("::/0");
    EXPECT_NE(problem(ask).find("too wide"), std::string::npos);
    ask.set_client("2000::/3");
    EXPECT_EQ(problem(ask), "");
    ask.set_client("0.0.0.0/0");
    EXPECT_EQ(problem(ask), "");
    ask = {};
    ask.set_vip("10.9.0.0/24");
    EXPECT_NE(problem(ask).find("not an address"), std::string::npos);
    ask = {};
    ask.set_port(65536);
    EXPECT_NE(problem(ask), "");
    ask = {};
    ask.set_seconds(3601);
    EXPECT_NE(problem(ask), "");
}

}  // namespace
}  // namespace bascule::node
