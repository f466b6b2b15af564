// SPDX-License-Identifier: Apache-2.0
#include "node/prefix.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

bool holds(const char* prefix, const char* address) {
    return Prefix::parse(prefix).value().contains(Address::parse(address).value());
}

TEST(Prefix, AnAddressAloneIsItself) {
    EXPECT_TRUE(holds("192.0.2.7", "192.0.2.7"));
    EXPECT_FALSE(holds("192.0.2.7", "192.0.2.6"));
    EXPECT_TRUE(holds("2001:db8::1", "2001:db8::1"));
    EXPECT_FALSE(holds("2001:db8::1", "2001:db8::"));
}

TEST(Prefix, LengthsNeedNotEndWithAByte) {
    EXPECT_TRUE(holds("192.0.2.0/25", "192.0.2.127"));
    EXPECT_FALSE(holds("192.0.2.0/25", "192.0.2.128"));
    EXPECT_TRUE(holds("192.0.2.128/31", "192.0.2.129"));
    EXPECT_FALSE(holds("192.0.2.128/31", "192.0.2.130"));
    EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff::1"));
    EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::1"));
    EXPECT_TRUE(holds("2001:db8::2/127", "2001:db8::3"));
}

TEST(Prefix, BitsBeyondTheLengthCountForNothing) {
    EXPECT_TRUE(holds("192.0.2.77/24", "192.0.2.1"));
    EXPECT_TRUE(holds("2001:db8::77/64", "2001:db8::1"));
}

TEST(Prefix, ZeroIsAllOfOneFamily) {
    EXPECT_TRUE(holds("0.0.0.0/0", "203.0.113.9"));
    EXPECT_FALSE(holds("0.0.0.0/0", "2001:db8::1"));
    EXPECT_TRUE(holds("::/0", "2001:db8::1"));
    EXPECT_FALSE(holds("::/0", "203.0.113.9")) << "kept v4-mapped, but none of ::/0";
}

TEST(Prefix, WhatIsNoneIsRefused) {
    for (const char* wrong :
         {"", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+8",
          "192.0.2.0/ 8", "192.0.2.0/8 ", "192.0.2.0/8/8", "192.0.2.0/0x8", "192.0.2.0/99999999999",
          "192.0.2/24", "web1", "2001:db8::/129", "192.0.2.0/255.255.255.0"})
        EXPECT_FALSE(Prefix::parse(wrong)) << wrong;
    EXPECT_EQ(Prefix::parse("192.0.2.0/33").error().text(),
              "'192.0.2.0/33': a prefix length is 0 to 32");
    EXPECT_EQ(Prefix::parse("web1").error().text(),
              "'web1' is no address and no prefix such as 192.0.2.0/24");
}

}  // namespace
}  // namespace bascule::node
