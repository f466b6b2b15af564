// SPDX-License-Identifier: Apache-2.0
#include "dataplane/counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>

#include "bpf/contract.h"
#include "dataplane/libbpf_log.h"

namespace bascule::dataplane {

namespace {

struct Name {
    const char* name;
    const char* meaning;
};
constexpr Name drop_names[] = {
#define X(symbol, name, meaning) {name, meaning},
    BSC_DROP_REASONS(X)
#undef X
};
constexpr Name event_names[] = {
#define X(symbol, name, meaning) {name, meaning},
    BSC_EVENTS(X)
#undef X
};

}  // namespace

// The loader has asked for the CPUs before and failed if there were none.
Counters::Counters(Fds fds)
    : fds_(fds), cpus_(static_cast<std::size_t>(std::max(1, libbpf_num_possible_cpus()))) {}

Traffic Counters::service(std::uint16_t slot) const {
    return traffic(fds_.service_traffic, slot);
}

Traffic Counters::backend(std::uint16_t slot) const {
    return traffic(fds_.backend_traffic, slot);
}

Traffic Counters::traffic(int fd, std::uint32_t slot) const {
    std::vector<bsc_traffic> of_cpu(cpus_);
    Traffic sum;
    if (bpf_map_lookup_elem(fd, &slot, of_cpu.data()) != 0) return sum;
    for (const bsc_traffic& one : of_cpu) {
        sum.packets += one.packets;
        sum.bytes += one.bytes;
        sum.new_sessions += one.new_sessions;
    }
    return sum;
}

std::uint64_t Counters::total(int fd, std::uint32_t index) const {
    std::vector<std::uint64_t> of_cpu(cpus_);
    std::uint64_t sum = 0;
    if (bpf_map_lookup_elem(fd, &index, of_cpu.data()) != 0) return 0;
    for (const std::uint64_t one : of_cpu)
        sum += one;
    return sum;
}

std::vector<Named> Counters::drops() const {
    std::vector<Named> list;
    for (std::uint32_t i = 0; i < BSC_DROP_REASON_COUNT; i++)
        list.push_back({drop_names[i].name, drop_names[i].meaning, total(fds_.drops, i)});
    return list;
}

std::vector<Named> Counters::events() const {
    std::vector<Named> list;
    for (std::uint32_t i = 0; i < BSC_EVENT_COUNT; i++)
        list.push_back({event_names[i].name, event_names[i].meaning, total(fds_.events, i)});
    return list;
}

Result<void> Counters::zero(int fd, std::uint32_t slot) {
    const std::vector<bsc_traffic> of_cpu(cpus_);
    if (bpf_map_update_elem(fd, &slot, of_cpu.data(), BPF_ANY) != 0)
        return failure(bpf_error("zero its counters", errno));
    return {};
}

Result<void> Counters::zero_service(std::uint16_t slot) {
    return zero(fds_.service_traffic, slot);
}

Result<void> Counters::zero_backend(std::uint16_t slot) {
    return zero(fds_.backend_traffic, slot);
}

}  // namespace bascule::dataplane
