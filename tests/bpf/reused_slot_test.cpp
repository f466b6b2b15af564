// SPDX-License-Identifier: Apache-2.0
// A backend slot that is given to another backend while packets are on their way through it: one
// that has read the station of the former owner must not leave with the address of the next one.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "bpf/atomics.h"
#include "dataplane/mapping.h"
#include "delivery.h"

namespace bascule::test {

namespace {

using model::Forward;

// By the short way into a tunnel, and by the one that all else takes.
std::vector<NamedWay> both_ways() {
    std::vector<NamedWay> ways = {{"short", tunnel_way(Forward::ipip, true)},
                                  {"long", tunnel_way(Forward::ipip, true)}};
    ways.back().way.port = rewritten_port;
    return ways;
}

class ReusedSlot : public OwnTables, public ::testing::WithParamInterface<NamedWay> {};

INSTANTIATE_TEST_SUITE_P(Ways, ReusedSlot, ::testing::ValuesIn(both_ways()),
                         [](const auto& test) { return test.param.name; });

// All addresses of an owner end with its number, which is its generation, too.
constexpr std::size_t end_of_mac = 5;
constexpr std::size_t end_of_address = 14 + 19;  // untagged, outer IPv4

// The order of the product's writer: down, all else, up.
void give_to(bsc_backend& slot, const bsc_backend& owner) {
    bsc_store(&slot.hop, owner.hop & ~BSC_HOP_UP);
    const auto* words = reinterpret_cast<const __u64*>(owner.be_address);
    auto* there = reinterpret_cast<__u64*>(slot.be_address);
    bsc_store(&there[0], words[0]);
    bsc_store(&there[1], words[1]);
    bsc_store(&slot.hop, owner.hop);
}

bsc_backend numbered(bsc_backend backend, std::uint8_t number) {
    backend.hop &= ~(0xffULL << 8 * end_of_mac | 0xffULL << BSC_HOP_GENERATION_SHIFT);
    backend.hop |= std::uint64_t{number} << 8 * end_of_mac | std::uint64_t{number}
                                                                 << BSC_HOP_GENERATION_SHIFT;
    backend.be_address[15] = number;
    return backend;
}

bsc_backend* slot_in_use(std::span<bsc_backend> all) {
    for (bsc_backend& backend : all)
        if ((backend.hop & BSC_HOP_UP) != 0) return &backend;
    return nullptr;
}

TEST_P(ReusedSlot, NoPacketIsOfTwoOwners) {
    Served served;
    served.way = GetParam().way;
    serve({served});
    auto mapping = dataplane::Mapping::of_map(engine().dataplane().map_fd("backends"),
                                              sizeof(bsc_backend) * BSC_MAX_BACKENDS);
    ASSERT_TRUE(mapping);
    bsc_backend* slot = slot_in_use(mapping->as<bsc_backend>());
    ASSERT_NE(slot, nullptr);

    const bsc_backend before = *slot;
    std::atomic<bool> done = false;
    std::thread writer([&] {
        // So slowly that no packet is under way for a full circle of generations.
        for (std::uint8_t owner = 0; !done; owner++) {
            give_to(*slot, numbered(before, owner));
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
        give_to(*slot, before);
    });
    const Bytes frame = web_frame(served.family, {.flags = ack});
    std::size_t sent = 0, mixed = 0;
    for (int i = 0; i < 500000; i++) {
        const Outcome outcome = engine().run(frame);
        if (outcome.verdict != Verdict::tx) continue;
        sent++;
        if (outcome.frame.at(end_of_mac) != outcome.frame.at(end_of_address)) mixed++;
    }
    done = true;
    writer.join();
    engine().counted();
    EXPECT_GT(sent, 0U);
    EXPECT_EQ(mixed, 0U) << "of " << sent;
}

}  // namespace

}  // namespace bascule::test
