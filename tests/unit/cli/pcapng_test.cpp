// SPDX-License-Identifier: Apache-2.0
// Capture files byte for byte, as draft-ietf-opsawg-pcapng has them.
#include "cli/pcapng.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bascule::cli {
namespace {

std::uint32_t u32(const std::string& bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; i++)
        value |= std::uint32_t{static_cast<std::uint8_t>(bytes.at(at + i))} << 8 * i;
    return value;
}

std::uint16_t u16(const std::string& bytes, std::size_t at) {
    return static_cast<std::uint16_t>(u32(bytes + std::string(4, '\0'), at));
}

struct Block {
    std::uint32_t type;
    std::string body;
};

// Cut by both lengths, which have to agree and be whole words.
std::vector<Block> blocks_of(const std::string& bytes) {
    std::vector<Block> blocks;
    for (std::size_t at = 0; at < bytes.size();) {
        const std::uint32_t length = u32(bytes, at + 4);
        EXPECT_EQ(length % 4, 0U);
        EXPECT_GE(length, 12U);
        if (length < 12 || at + length > bytes.size()) {
            ADD_FAILURE() << "a block of " << length << " bytes at " << at;
            return blocks;
        }
        EXPECT_EQ(u32(bytes, at + length - 4), length);
        blocks.push_back({u32(bytes, at), bytes.substr(at + 8, length - 12)});
        at += length;
    }
    return blocks;
}

struct Option {
    std::uint16_t code;
    std::string value;
    bool operator==(const Option&) const = default;
};

std::vector<Option> options_of(const std::string& body, std::size_t at) {
    std::vector<Option> options;
    while (u16(body, at) != 0) {
        const std::uint16_t length = u16(body, at + 2);
        options.push_back({u16(body, at), body.substr(at + 4, length)});
        at += 4 + (length + 3U) / 4 * 4;
    }
    EXPECT_EQ(u16(body, at + 2), 0);
    EXPECT_EQ(at + 4, body.size());
    return options;
}

TEST(Pcapng, HeaderOfASection) {
    const auto blocks = blocks_of(Pcapng("bascule 1", 0).header());
    ASSERT_EQ(blocks.size(), 1U);
    EXPECT_EQ(blocks[0].type, 0x0a0d0d0aU);
    EXPECT_EQ(u32(blocks[0].body, 0), 0x1a2b3c4dU);
    EXPECT_EQ(u32(blocks[0].body, 4), 1U);  // version 1.0
    EXPECT_EQ(blocks[0].body.substr(8, 8), std::string(8, '\xff'));
    EXPECT_EQ(options_of(blocks[0].body, 16), (std::vector<Option>{{4, "bascule 1"}}));
}

TEST(Pcapng, APacketComesAfterItsInterface) {
    Pcapng pcapng("bascule", 128);
    const auto blocks =
        blocks_of(pcapng.packet({"eth0", 0x123456789abcdef0, true, 70, "abcde", "why"}));
    ASSERT_EQ(blocks.size(), 2U);
    EXPECT_EQ(blocks[0].type, 1U);
    EXPECT_EQ(u16(blocks[0].body, 0), 1);  // Ethernet
    EXPECT_EQ(u32(blocks[0].body, 4), 128U);
    EXPECT_EQ(options_of(blocks[0].body, 8),
              (std::vector<Option>{{2, "eth0"}, {9, std::string(1, 9)}}));

    EXPECT_EQ(blocks[1].type, 6U);
    const std::string& body = blocks[1].body;
    EXPECT_EQ(u32(body, 0), 0U);
    EXPECT_EQ(u32(body, 4), 0x12345678U);
    EXPECT_EQ(u32(body, 8), 0x9abcdef0U);
    EXPECT_EQ(u32(body, 12), 5U);
    EXPECT_EQ(u32(body, 16), 70U);
    EXPECT_EQ(body.substr(20, 8), std::string("abcde\0\0\0", 8));
    EXPECT_EQ(options_of(body, 28),
              (std::vector<Option>{{2, std::string("\2\0\0\0", 4)}, {1, "why"}}));
}

TEST(Pcapng, AnInterfaceIsDescribedOnce) {
    Pcapng pcapng("bascule", 0);
    EXPECT_EQ(blocks_of(pcapng.packet({"eth0", 1, false, 1, "a", ""})).size(), 2U);
    EXPECT_EQ(blocks_of(pcapng.packet({"eth1", 2, false, 1, "b", ""})).size(), 2U);
    const auto again = blocks_of(pcapng.packet({"eth1", 3, false, 1, "c", ""}));
    ASSERT_EQ(again.size(), 1U);
    EXPECT_EQ(u32(again[0].body, 0), 1U);
    EXPECT_EQ(options_of(again[0].body, 24),
              (std::vector<Option>{{2, std::string("\1\0\0\0", 4)}}));
}

TEST(Pcapng, WhatWasLostStandsAtTheEnd) {
    Pcapng pcapng("bascule", 0);
    EXPECT_EQ(pcapng.statistics(5, 3), "");
    pcapng.packet({"eth0", 1, false, 1, "a", ""});
    const auto blocks = blocks_of(pcapng.statistics(5, 3));
    ASSERT_EQ(blocks.size(), 1U);
    EXPECT_EQ(blocks[0].type, 5U);
    EXPECT_EQ(options_of(blocks[0].body, 12),
              (std::vector<Option>{{7, std::string("\3\0\0\0\0\0\0\0", 8)}}));
}

}  // namespace
}  // namespace bascule::cli
