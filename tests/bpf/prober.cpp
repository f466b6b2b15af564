// SPDX-License-Identifier: Apache-2.0
#include "prober.h"

#include <bpf/bpf.h>
#include <fcntl.h>

#include <stdexcept>
#include <utility>
#include <vector>

#include "base/descriptor.h"
#include "dataplane/kernel_clock.h"
#include "dataplane/loader.h"

namespace bascule::test {

namespace {

int map_of(Engine& engine, const char* name) {
    const int fd = engine.dataplane().map_fd(name);
    if (fd < 0) throw std::runtime_error(std::string("no map ") + name);
    return fd;
}

template <typename T>
void write(int map, const T& value, std::uint32_t key = 0) {
    if (bpf_map_update_elem(map, &key, &value, BPF_ANY) != 0)
        throw std::runtime_error("a map cannot be written");
}

std::vector<bsc_probe_flow_key> keys_of(int map) {
    std::vector<bsc_probe_flow_key> keys;
    bsc_probe_flow_key next;
    while (bpf_map_get_next_key(map, keys.empty() ? nullptr : &keys.back(), &next) == 0)
        keys.push_back(next);
    return keys;
}

dataplane::MapFds shared_maps(Engine& engine) {
    dataplane::MapFds fds;
    for (const char* name : {"vips", "vip_states", "services", "backends", "ports", "egress",
                             "probe_flows", "probe_notes", "probe_gate", "notes", "service_traffic",
                             "backend_traffic", "drops", "events", "icmp_budget"})
        fds.emplace(name, Descriptor(::fcntl(map_of(engine, name), F_DUPFD_CLOEXEC, 0)));
    return fds;
}

dataplane::Constants constants_of(Engine& engine) {
    const std::uint32_t zero = 0;
    bsc_settings settings{};
    if (bpf_map_lookup_elem(map_of(engine, "settings"), &zero, &settings) != 0)
        throw std::runtime_error("the settings cannot be read");
    const auto clock = dataplane::KernelClock::open();
    if (!clock) throw std::runtime_error(clock.error().text());
    dataplane::Constants constants;
    constants.ring_key = Engine::ring_key;
    constants.table_key = {settings.table_key[0], settings.table_key[1]};
    constants.pages4 = settings.pages4;
    constants.pages6 = settings.pages6;
    constants.clock_multiplier = clock->multiplier();
    return constants;
}

}  // namespace

struct Prober::Loaded {
    dataplane::Program program;
};

Prober::Prober(Engine& engine) : engine_(engine) {
    auto program = dataplane::Program::load(constants_of(engine), BSC_PROBE_PORT,
                                            shared_maps(engine), dataplane::Flavour::probing);
    if (!program) throw std::runtime_error(program.error().text());
    loaded_ = std::make_unique<Loaded>(Loaded{std::move(*program)});
}

Prober::~Prober() = default;

Outcome Prober::run(const Bytes& frame) const {
    auto run = run_program(loaded_->program.fd(), frame);
    if (!run) throw std::runtime_error(run.error().text());
    return std::move(run->outcome);
}

void Prober::set_pair(bool is_there) const {
    bsc_port port{};
    if (is_there) port = {stack_mac.to_word(), pair_index, pair_index};
    write(map_of(engine_, "ports"), port, BSC_PROBE_PORT);
}

void Prober::forget_sources() {
    write(map_of(engine_, "probe_gate"), bsc_probe_gate{});
}

void Prober::forget() {
    forget_sources();
    const int flows = map_of(engine_, "probe_flows");
    for (const bsc_probe_flow_key& key : keys_of(flows))
        bpf_map_delete_elem(flows, &key);
    for (std::uint32_t slot = 0; slot < 256; slot++)
        write(map_of(engine_, "probe_notes"), bsc_probe_note{}, slot);
}

std::size_t Prober::flows() const {
    return keys_of(map_of(engine_, "probe_flows")).size();
}

Address made_up(bool v4, std::uint16_t slot, std::uint8_t generation) {
    const std::uint32_t number = slot | std::uint32_t{generation} << BSC_PROBE_SLOT_BITS;
    const Address network =
        v4 ? Address::v4({240, 64, 0, 0}) : *Address::parse("fd62:6173:6375:6c65::");
    Address::Bytes bytes = network.bytes();
    for (std::size_t i = 0; i < 4; i++)
        bytes[15 - i] = static_cast<std::uint8_t>(bytes[15 - i] | number >> 8 * i);
    return Address(bytes);
}

}  // namespace bascule::test
