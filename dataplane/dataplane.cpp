// SPDX-License-Identifier: Apache-2.0
// Wires the parts of the data plane together, in the order in which they may be used.
#include "dataplane/dataplane.h"

#include <bpf/libbpf.h>

#include <atomic>
#include <optional>
#include <utility>

#include "dataplane/attachment.h"
#include "dataplane/bpffs.h"
#include "dataplane/config_writer.h"
#include "dataplane/counters.h"
#include "dataplane/earlier_layout.h"
#include "dataplane/kernel_clock.h"
#include "dataplane/link.h"
#include "dataplane/mapping.h"
#include "dataplane/probe_port.h"
#include "dataplane/session_copy.h"
#include "dataplane/state.h"
#include "dataplane/table_reader.h"

namespace bascule::dataplane {

namespace {

// The memory of one pair of session tables.
struct SessionMemory {
    Mapping sessions4;
    Mapping sessions6;
};

Result<SessionMemory> map_sessions(int fd4, int fd6, const bsc_settings& settings) {
    SessionMemory memory;
    auto four = Mapping::of_map(
        fd4, std::size_t{settings.pages4} * BSC_SETS_PER_PAGE_V4 * sizeof(bsc_set4));
    if (!four) return failure(std::move(four.error()).within("sessions4"));
    auto six = Mapping::of_map(
        fd6, std::size_t{settings.pages6} * BSC_SETS_PER_PAGE_V6 * sizeof(bsc_set6));
    if (!six) return failure(std::move(six.error()).within("sessions6"));
    memory.sessions4 = std::move(*four);
    memory.sessions6 = std::move(*six);
    return memory;
}

SessionTable table_in(const SessionMemory& memory, const bsc_settings& settings,
                      const bsc_service* services, const KernelClock& clock) {
    SessionTable::Memory words;
    words.sets4 = memory.sessions4.as<__u64>().data();
    words.sets6 = memory.sessions6.as<__u64>().data();
    words.pages4 = settings.pages4;
    words.pages6 = settings.pages6;
    words.table_key[0] = settings.table_key[0];
    words.table_key[1] = settings.table_key[1];
    words.services = services;
    return SessionTable(words, [clock] { return clock.seconds(); });
}

// The maps that are read and written through memory.
struct Memory {
    Mapping vips, vip_states, service_words, services, backends, ports, delta_logs;
    Mapping probe_notes, probe_gate;
    SessionMemory sessions;
};

Result<Memory> map_all(const State& state) {
    Memory memory;
    struct Wanted {
        const char* name;
        Mapping* mapping;
        std::size_t bytes;
    };
    const std::size_t cpus = map_entries(state.maps.at("delta_logs").get());
    const Wanted wanted[] = {
        {"vips", &memory.vips, sizeof(bsc_vip_bucket) * BSC_VIP_BUCKETS},
        {"vip_states", &memory.vip_states, sizeof(__u64) * BSC_VIP_STATES},
        {"service_words", &memory.service_words, sizeof(bsc_service_bucket) * BSC_SERVICE_BUCKETS},
        {"services", &memory.services, sizeof(bsc_service) * BSC_MAX_SERVICES},
        {"backends", &memory.backends, sizeof(bsc_backend) * BSC_MAX_BACKENDS},
        {"ports", &memory.ports, sizeof(bsc_port) * BSC_PORT_ENTRIES},
        {"delta_logs", &memory.delta_logs, sizeof(bsc_delta_log) * cpus},
        {"probe_notes", &memory.probe_notes, sizeof(bsc_probe_note) * BSC_MAX_BACKENDS},
        {"probe_gate", &memory.probe_gate, sizeof(bsc_probe_gate)},
    };
    for (const Wanted& one : wanted) {
        auto mapping = Mapping::of_map(state.maps.at(one.name).get(), one.bytes);
        if (!mapping) return failure(std::move(mapping.error()).within(one.name));
        *one.mapping = std::move(*mapping);
    }
    auto sessions = map_sessions(state.maps.at("sessions4").get(), state.maps.at("sessions6").get(),
                                 state.settings);
    if (!sessions) return failure(std::move(sessions.error()));
    memory.sessions = std::move(*sessions);
    return memory;
}

ConfigMemory config_in(const Memory& memory, const MapFds& maps) {
    return {memory.vips.as<bsc_vip_bucket>(),
            memory.vip_states.as<__u64>(),
            memory.service_words.as<bsc_service_bucket>(),
            memory.services.as<bsc_service>(),
            memory.backends.as<bsc_backend>(),
            maps.at("rings").get(),
            maps.at("egress").get()};
}

ProbePort::Memory probes_in(const Memory& memory) {
    return {&memory.ports.as<bsc_port>()[BSC_PROBE_PORT], memory.probe_notes.as<bsc_probe_note>(),
            memory.probe_gate.as<bsc_probe_gate>().data()};
}

Counters counters_in(const MapFds& maps) {
    return Counters({maps.at("service_traffic").get(), maps.at("backend_traffic").get(),
                     maps.at("drops").get(), maps.at("events").get()});
}

}  // namespace

struct Dataplane::Impl {
    Impl(const Pins& where, const KernelClock& time, State found, Memory mapped)
        : pins(where),
          clock(time),
          state(std::move(found)),
          memory(std::move(mapped)),
          counters(counters_in(state.maps)),
          writer(config_in(memory, state.maps), counters),
          attachments(
              pins, std::move(*state.program),
              [this](std::uint32_t port, Flavour flavour) {
                  return Program::load(state.constants, port, state.maps, flavour);
              },
              memory.ports.as<bsc_port>().first(BSC_MAX_PORTS)),
          probes(
              pins,
              [this] {
                  return Program::load(state.constants, BSC_PROBE_PORT, state.maps,
                                       Flavour::probing);
              },
              probes_in(memory)),
          sessions(table_in(memory.sessions, state.settings,
                            memory.services.as<bsc_service>().data(), clock)),
          deltas(memory.delta_logs.as<bsc_delta_log>()) {}

    Pins pins;
    KernelClock clock;
    State state;
    Memory memory;
    Counters counters;
    ConfigWriter writer;
    Attachments attachments;
    ProbePort probes;
    SessionTable sessions;
    DeltaFeed deltas;
    model::Tables tables;
    bool inherited = false;

    Result<void> start();
    Result<void> take_over();
};

// Read before anything can change; new maps are put in place only when the sessions are in them.
Result<void> Dataplane::Impl::start() {
    if (state.adopted) {
        writer.repair();
        tables = read_tables(config_in(memory, state.maps));
    }
    if (auto settled = writer.settle(tables); !settled) return settled;
    if (auto adopted = attachments.adopt(); !adopted) return adopted;
    if (auto adopted = probes.adopt(); !adopted) return adopted;
    if (state.predecessor) return take_over();
    if (state.pinned_next)
        if (auto committed = commit(pins); !committed) return committed;
    return finish(pins);
}

// The session tables have another size: sessions move into the new ones. Most before the swap, so
// that no packet misses its session; then those that changed until the last link was swapped.
Result<void> Dataplane::Impl::take_over() {
    const Predecessor& old = *state.predecessor;
    auto mapped = map_sessions(old.sessions4.get(), old.sessions6.get(), old.settings);
    if (!mapped) return failure(std::move(mapped.error()).within("take sessions over"));
    const SessionTable before =
        table_in(*mapped, old.settings, memory.services.as<bsc_service>().data(), clock);
    copy_sessions(before, sessions);
    if (state.pinned_next)
        if (auto committed = commit(pins); !committed) return committed;
    if (auto swapped = attachments.swap_all(); !swapped) return swapped;
    copy_sessions(before, sessions);
    state.predecessor.reset();
    return finish(pins);
}

Dataplane::Dataplane(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Dataplane::~Dataplane() = default;

Result<std::unique_ptr<Dataplane>> Dataplane::open(const Options& options) {
    const Pins pins(options.bpffs);
    for (const auto& directory : {pins.links, pins.probe})
        if (auto made = make_directory(directory); !made) return failure(std::move(made.error()));
    auto clock = KernelClock::open();
    if (!clock) return failure(std::move(clock.error()));
    auto state = open_state(pins, options, clock->multiplier());
    if (!state) return failure(std::move(state.error()));
    auto memory = map_all(*state);
    if (!memory) return failure(std::move(memory.error()));
    auto impl = std::make_unique<Impl>(pins, *clock, std::move(*state), std::move(*memory));
    // What may well be refused is behind us: until here the daemon of before would find its links.
    auto other_layout = inherit_links(pins);
    if (!other_layout) return failure(std::move(other_layout.error()));
    if (auto started = impl->start(); !started) return failure(std::move(started.error()));
    impl->inherited = (*other_layout || !impl->state.adopted) && !impl->attachments.list().empty();
    return std::unique_ptr<Dataplane>(new Dataplane(std::move(impl)));
}

bool Dataplane::adopted() const {
    return impl_->state.adopted;
}

bool Dataplane::inherited() const {
    return impl_->inherited;
}

Result<void> Dataplane::drop_other_layouts() {
    return dataplane::drop_other_layouts(impl_->pins);
}

Result<Attachment> Dataplane::attach(const std::string& interface, model::XdpMode mode,
                                     std::uint32_t route_ifindex) {
    return impl_->attachments.attach(interface, mode, route_ifindex);
}

Result<void> Dataplane::detach(const std::string& interface) {
    return impl_->attachments.detach(interface);
}

std::vector<Attachment> Dataplane::attachments() const {
    return impl_->attachments.list();
}

void Dataplane::interface_mac_changed(std::uint32_t ifindex, Mac mac) {
    impl_->attachments.mac_changed(ifindex, mac);
}

const model::Tables& Dataplane::tables() const {
    return impl_->tables;
}

Result<void> Dataplane::apply(const model::Plan& plan) {
    for (const model::Write& write : plan.writes) {
        if (auto written = impl_->writer.write(write); !written) {
            // A new service that got no word yet would count as one that stands, and no later plan
            // would publish it.
            impl_->writer.repair();
            impl_->tables = read_tables(config_in(impl_->memory, impl_->state.maps));
            return written;
        }
        model::record(impl_->tables, write);
    }
    return impl_->writer.settle(impl_->tables);
}

Traffic Dataplane::service_traffic(std::uint16_t slot) const {
    return impl_->counters.service(slot);
}

Traffic Dataplane::backend_traffic(std::uint16_t slot) const {
    return impl_->counters.backend(slot);
}

std::vector<Named> Dataplane::drops() const {
    return impl_->counters.drops();
}

std::vector<Named> Dataplane::events() const {
    return impl_->counters.events();
}

SessionTable& Dataplane::sessions() {
    return impl_->sessions;
}

const SessionTable& Dataplane::sessions() const {
    return impl_->sessions;
}

std::vector<IdleLimits> Dataplane::idle_limits() const {
    std::vector<IdleLimits> limits;
    limits.reserve(BSC_MAX_SERVICES);
    for (bsc_service& service : config_in(impl_->memory, impl_->state.maps).services) {
        const auto read = [](std::uint32_t& field) {
            return std::atomic_ref<std::uint32_t>(field).load(std::memory_order_acquire);
        };
        limits.push_back({(read(service.flags) & BSC_SERVICE_IN_USE) != 0,
                          read(service.limit_embryonic), read(service.limit_established),
                          read(service.limit_closing)});
    }
    return limits;
}

DeltaFeed& Dataplane::deltas() {
    return impl_->deltas;
}

int Dataplane::program_fd() const {
    return impl_->attachments.program_fd();
}

Result<int> Dataplane::tracing_program(const std::string& interface) {
    return impl_->attachments.tracing_program(interface);
}

Result<void> Dataplane::set_capturing(bool on) {
    return impl_->attachments.set_capturing(on);
}

Result<void> Dataplane::set_probe_path(const ProbePath& path) {
    return impl_->probes.set(path);
}

void Dataplane::add_probe_source(const Address& source) {
    impl_->probes.add_source(source);
}

ProbeNote Dataplane::probe_note(std::uint16_t backend_slot) const {
    return impl_->probes.note(backend_slot);
}

VipGuard Dataplane::vip_guard() const {
    return {map_fd("guards"), map_fd("rivals")};
}

int Dataplane::map_fd(const std::string& name) const {
    const auto found = impl_->state.maps.find(name);
    return found == impl_->state.maps.end() ? -1 : found->second.get();
}

std::uint32_t Dataplane::seconds() const {
    return impl_->clock.seconds();
}

Result<void> Dataplane::detach_all(const std::string& bpffs) {
    auto versions = list_versions(bpffs);
    if (!versions) return failure(std::move(versions.error()));
    for (const std::string& version : *versions)
        for (const char* links : {"/links", "/probe"})
            if (auto off = detach_links(version + links); !off) return off;
    for (const std::string& version : *versions)
        if (auto gone = remove_version(version); !gone) return gone;
    return {};
}

}  // namespace bascule::dataplane
