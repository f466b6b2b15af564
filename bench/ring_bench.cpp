// SPDX-License-Identifier: Apache-2.0
// What user space pays: building a ring, and finding and putting sessions.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "dataplane/session_table.h"
#include "model/maglev.h"

namespace {

using namespace bascule;

void build_ring(benchmark::State& state) {
    std::vector<model::RingMember> members;
    for (std::int64_t i = 0; i < state.range(0); i++) {
        const auto number = static_cast<std::uint16_t>(i + 1);
        const Address address = Address::v4(
            {10, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
        members.push_back({{address, 80}, 100, number});
    }
    for (auto _ : state)
        benchmark::DoNotOptimize(model::build_ring(members, BSC_RING_DEFAULT));
}
BENCHMARK(build_ring)->Arg(10)->Arg(100)->Arg(655)->Unit(benchmark::kMillisecond);

// Both tables in ordinary memory.
class Tables {
public:
    explicit Tables(std::uint32_t sessions)
        : sets4_(std::size_t{sessions} * 2 * (BSC_KEY_WORDS_V4 + 1)),
          sets6_(std::size_t{sessions} * 2 * (BSC_KEY_WORDS_V6 + 1)),
          table_(memory(sessions), [] { return 1000U; }) {}

    dataplane::SessionTable& table() { return table_; }

private:
    dataplane::SessionTable::Memory memory(std::uint32_t sessions) {
        dataplane::SessionTable::Memory memory;
        memory.sets4 = sets4_.data();
        memory.pages4 = sessions * 2 / (BSC_SETS_PER_PAGE_V4 * BSC_WAYS_PER_SET);
        memory.sets6 = sets6_.data();
        memory.pages6 = sessions * 2 / (BSC_SETS_PER_PAGE_V6 * BSC_WAYS_PER_SET);
        memory.table_key[0] = 0x0123456789abcdef;
        memory.table_key[1] = 0xfedcba9876543210;
        return memory;
    }

    std::vector<__u64> sets4_, sets6_;
    dataplane::SessionTable table_;
};

dataplane::Session session_of(std::uint32_t number, bool ipv6) {
    Address::Bytes bytes{0x20, 0x01, 0x0d, 0xb8};
    if (!ipv6) {
        bytes = {};
        bytes[10] = bytes[11] = 0xff;
    }
    for (std::size_t i = 0; i < 4; i++)
        bytes[12 + i] = static_cast<std::uint8_t>(number >> (8 * i));
    dataplane::Session session;
    session.key = {Address(bytes), static_cast<std::uint16_t>(number), 80, 1};
    session.state = BSC_ESTABLISHED;
    session.backend = 1;
    session.generation = 1;
    return session;
}

constexpr std::uint32_t table_size = 1 << 20;

void put_session(benchmark::State& state) {
    Tables tables(table_size);
    std::uint32_t number = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(
            tables.table().put(session_of(number++ % table_size, state.range(0) == 6)));
}
BENCHMARK(put_session)->Arg(4)->Arg(6);

void find_session(benchmark::State& state) {
    const bool ipv6 = state.range(0) == 6;
    Tables tables(table_size);
    for (std::uint32_t i = 0; i < table_size / 2; i++)
        tables.table().put(session_of(i, ipv6));
    std::uint32_t number = 0;
    for (auto _ : state) {
        number = number * 1664525 + 1013904223;
        benchmark::DoNotOptimize(
            tables.table().find(session_of(number % (table_size / 2), ipv6).key));
    }
}
BENCHMARK(find_session)->Arg(4)->Arg(6);

}  // namespace
