// SPDX-License-Identifier: Apache-2.0
// Which service a packet finds while words come and go, in plain memory.
#include "dataplane/service_words.h"

#include <gtest/gtest.h>

#include <vector>

namespace bascule::dataplane {
namespace {

class ServiceWordsTest : public ::testing::Test {
protected:
    ServiceWordsTest() { EXPECT_TRUE(vips_.set(1, {vip_, true})); }

    model::ServiceKey key(std::uint16_t first, std::uint16_t last) const {
        return {vip_, {first, last}, model::Protocol::tcp};
    }
    void fill(std::uint16_t slot, const model::ServiceKey& key) {
        bsc_service& entry = services_[slot];
        entry = {};
        entry.flags = BSC_SERVICE_IN_USE;
        std::memcpy(entry.be_address, key.vip.bytes().data(), sizeof(entry.be_address));
        entry.be_port = htons(key.ports.first);
        entry.be_last_port = htons(key.ports.last);
    }
    void publish(std::uint16_t slot, const model::ServiceKey& key) {
        fill(slot, key);
        EXPECT_TRUE(words_.publish(slot, key));
    }

    // As bpf/service.h looks: the port's own word, then the prefixes, longest first. -1: none.
    int found(std::uint16_t port) const {
        for (int length = 16; length >= 0; length--) {
            if (length < 16 && (states_[1] >> length & 1) == 0) continue;
            const std::uint64_t wanted = bsc_service_key(
                vip_.v4_wire(), bsc_port_code(port, static_cast<std::uint32_t>(length)), 0, 0);
            for (const __u64 word : buckets_[bsc_service_bucket_of(wanted)].word) {
                if ((word & BSC_SERVICE_WORD_KEY_MASK) == wanted)
                    return static_cast<int>(word >> BSC_SERVICE_WORD_SLOT_SHIFT);
                if (word == 0) break;
            }
        }
        return -1;
    }

    const Address vip_ = Address::parse("10.9.0.100").value();
    std::vector<bsc_vip_bucket> buckets_of_vips_ = std::vector<bsc_vip_bucket>(BSC_VIP_BUCKETS);
    std::vector<__u64> states_ = std::vector<__u64>(BSC_VIP_STATES);
    std::vector<bsc_service_bucket> buckets_ = std::vector<bsc_service_bucket>(BSC_SERVICE_BUCKETS);
    std::vector<bsc_service> services_ = std::vector<bsc_service>(BSC_MAX_SERVICES);
    const ConfigMemory memory_{buckets_of_vips_, states_, buckets_, services_, {}};
    VipTable vips_{memory_};
    ServiceWords words_{memory_, vips_};
};

TEST_F(ServiceWordsTest, ARangeIsTakenOverByAnotherWithoutAGap) {
    const std::vector<std::pair<model::ServiceKey, model::ServiceKey>> changes = {
        {key(8000, 8099), key(8000, 8199)}, {key(8000, 8199), key(8000, 8099)},
        {key(8001, 8099), key(8099, 8099)}, {key(8050, 8050), key(8049, 8051)},
        {key(8000, 8099), key(0, 65535)},   {key(0, 65535), key(8000, 8099)},
    };
    for (const auto& [before, after] : changes) {
        SCOPED_TRACE(before.to_string() + " becomes " + after.to_string());
        publish(3, before);
        publish(4, after);
        for (unsigned port = 8000; port < 8200; port++) {
            const bool one = port >= before.ports.first && port <= before.ports.last;
            const bool other = port >= after.ports.first && port <= after.ports.last;
            EXPECT_EQ(found(static_cast<std::uint16_t>(port)) >= 0, one || other) << port;
        }
        EXPECT_TRUE(words_.withdraw(3, before));
        services_[3] = {};
        for (unsigned port = 8000; port < 8200; port++) {
            const bool other = port >= after.ports.first && port <= after.ports.last;
            EXPECT_EQ(found(static_cast<std::uint16_t>(port)), other ? 4 : -1) << port;
        }
        EXPECT_TRUE(words_.repair().empty()) << "nothing was half done";
        EXPECT_TRUE(words_.withdraw(4, after));
        services_[4] = {};
    }
}

TEST_F(ServiceWordsTest, ASlotWhoseWordLeadsToItsLikeServesNobody) {
    publish(3, key(80, 80));
    fill(5, key(80, 80));  // as a process that died while it filled the slot may leave it
    EXPECT_EQ(words_.repair(), std::vector<std::uint16_t>{5});
    EXPECT_EQ(found(80), 3);
}

// Ports whose words stand in one bucket, as many as it holds.
std::vector<std::uint16_t> ports_of_one_bucket(const Address& vip) {
    const auto bucket_of = [&](unsigned port) {
        return bsc_service_bucket_of(bsc_service_key(vip.v4_wire(), bsc_port_code(port, 16), 0, 0));
    };
    std::vector<std::uint16_t> ports;
    for (unsigned port = 1; port < 65536 && ports.size() < BSC_SERVICE_WORDS_PER_BUCKET; port++)
        if (bucket_of(port) == bucket_of(1)) ports.push_back(static_cast<std::uint16_t>(port));
    return ports;
}

TEST_F(ServiceWordsTest, AWordThatGoesMovesNoOther) {
    const auto ports = ports_of_one_bucket(vip_);
    ASSERT_EQ(ports.size(), std::size_t{BSC_SERVICE_WORDS_PER_BUCKET});
    for (std::uint16_t slot = 0; slot < ports.size(); slot++)
        publish(slot, key(ports[slot], ports[slot]));
    const bsc_service_bucket full = buckets_[bsc_service_bucket_of(
        bsc_service_key(vip_.v4_wire(), bsc_port_code(ports[0], 16), 0, 0))];
    const bsc_service_bucket& now = buckets_[bsc_service_bucket_of(
        bsc_service_key(vip_.v4_wire(), bsc_port_code(ports[0], 16), 0, 0))];

    for (int round = 0; round < 20; round++)
        for (std::uint16_t slot = 0; slot < ports.size(); slot++) {
            EXPECT_TRUE(words_.withdraw(slot, key(ports[slot], ports[slot])));
            services_[slot] = {};
            for (std::uint16_t other = 0; other < ports.size(); other++) {
                EXPECT_EQ(found(ports[other]), other == slot ? -1 : other);
                if (other != slot) {
                    EXPECT_EQ(now.word[other], full.word[other]);
                }
            }
            publish(slot, key(ports[slot], ports[slot]));
            EXPECT_EQ(now.word[slot], full.word[slot]) << "its place is used again";
        }
}

TEST_F(ServiceWordsTest, AnEmptiedBucketEndsAtItsFirstPlace) {
    const auto ports = ports_of_one_bucket(vip_);
    for (std::uint16_t slot = 0; slot < 3; slot++)
        publish(slot, key(ports[slot], ports[slot]));
    for (std::uint16_t slot = 0; slot < 3; slot++) {
        EXPECT_TRUE(words_.withdraw(slot, key(ports[slot], ports[slot])));
        services_[slot] = {};
    }
    for (const bsc_service_bucket& bucket : buckets_)
        for (const __u64 word : bucket.word)
            EXPECT_EQ(word, 0U);
}

}  // namespace
}  // namespace bascule::dataplane
