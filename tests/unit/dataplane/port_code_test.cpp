// SPDX-License-Identifier: Apache-2.0
// Ranges of ports as the service table has them: prefixes, each with a code of its own. Every port
// of a range is found by just one of them, and no other port by any.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

#include "bpf/lookup.h"
#include "model/port_prefix.h"

namespace {

using bascule::model::PortPrefix;
using bascule::model::PortRange;

constexpr std::uint32_t ports = 65536;

std::set<std::uint32_t> codes_of(const PortRange& range) {
    std::set<std::uint32_t> codes;
    for (const PortPrefix& prefix : bascule::model::prefixes_of(range))
        codes.insert(bsc_port_code(prefix.port, prefix.length));
    return codes;
}

// As a packet's port is sought: by every length.
int times_found(const std::set<std::uint32_t>& codes, std::uint32_t port) {
    int times = 0;
    for (std::uint32_t length = 0; length <= 16; length++)
        times += codes.contains(bsc_port_code(port, length)) ? 1 : 0;
    return times;
}

void expect_covered(const PortRange& range, std::uint32_t step) {
    const std::set<std::uint32_t> codes = codes_of(range);
    ASSERT_LE(codes.size(), 30U);
    for (std::uint32_t port = 0; port < ports; port += step)
        ASSERT_EQ(times_found(codes, port), port >= range.first && port <= range.last ? 1 : 0)
            << range.to_string() << ", port " << port;
    for (const std::uint32_t port : {std::uint32_t{range.first}, std::uint32_t{range.last}})
        ASSERT_EQ(times_found(codes, port), 1) << range.to_string() << ", port " << port;
    for (const std::int32_t port : {range.first - 1, range.last + 1}) {
        if (port < 0 || port > 65535) continue;
        ASSERT_EQ(times_found(codes, static_cast<std::uint32_t>(port)), 0)
            << range.to_string() << ", port " << port;
    }
}

TEST(PortCode, EveryPrefixHasItsOwn) {
    std::vector<bool> met(1 << 17);
    for (std::uint32_t length = 0; length <= 16; length++)
        for (std::uint32_t prefix = 0; prefix < 1U << length; prefix++) {
            const std::uint32_t code = bsc_port_code(prefix << (16 - length), length);
            ASSERT_GT(code, 0U);
            ASSERT_LT(code, met.size());
            ASSERT_FALSE(met[code]) << prefix << '/' << length;
            met[code] = true;
        }
}

TEST(PortCode, PortsOfAPrefixShareIt) {
    for (std::uint32_t length = 0; length <= 16; length++)
        for (std::uint32_t port = 0; port < ports; port += 7) {
            const std::uint32_t first = port >> (16 - length) << (16 - length);
            ASSERT_EQ(bsc_port_code(port, length), bsc_port_code(first, length));
        }
}

TEST(PortCode, OnePortAndAnyPort) {
    EXPECT_EQ(codes_of({80, 80}), (std::set<std::uint32_t>{80 << 1 | 1}));
    EXPECT_EQ(codes_of({0, 65535}), (std::set<std::uint32_t>{0x10000}));
}

TEST(PortCode, NoRangeNeedsMoreThanThirty) {
    EXPECT_EQ(codes_of({1, 65534}).size(), 30U);
}

TEST(PortCode, EdgesOfRangesAreExact) {
    for (const PortRange& range :
         {PortRange{0, 0}, PortRange{65535, 65535}, PortRange{0, 65534}, PortRange{1, 65535},
          PortRange{1, 65534}, PortRange{8000, 8099}, PortRange{32767, 32768},
          PortRange{0x5555, 0xaaaa}, PortRange{1024, 65535}, PortRange{0, 1023}})
        expect_covered(range, 1);
}

TEST(PortCode, EveryRangeOfAWindowIsExact) {
    constexpr std::uint16_t from = 1000, to = 1040;
    for (std::uint16_t first = from; first <= to; first++)
        for (std::uint16_t last = first; last <= to; last++)
            expect_covered({first, last}, 997);
}

TEST(PortCode, AnyRangeIsExact) {
    std::mt19937 random(1);
    for (int i = 0; i < 500; i++) {
        const auto a = static_cast<std::uint16_t>(random()),
                   b = static_cast<std::uint16_t>(random());
        expect_covered({std::min(a, b), std::max(a, b)}, 101);
    }
}

// Words are told apart by VIP, code, protocol and family.
TEST(PortCode, WordsAreTheirs) {
    std::set<std::uint64_t> words;
    for (const std::uint32_t low : {1U, 0x6400090aU})
        for (const std::uint32_t code : {bsc_port_code(80, 16), bsc_port_code(80, 15), 0x10000U})
            for (const bool udp : {false, true})
                for (const bool ipv6 : {false, true}) {
                    const std::uint64_t word = bsc_service_key(low, code, udp, ipv6);
                    EXPECT_EQ(word & ~BSC_SERVICE_WORD_KEY_MASK, 0U);
                    EXPECT_LT(bsc_service_bucket_of(word), std::uint32_t{BSC_SERVICE_BUCKETS});
                    words.insert(word);
                }
    EXPECT_EQ(words.size(), 24U);
}

}  // namespace
