// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include <cerrno>
#include <stdexcept>

#include "model/plan.h"
#include "world.h"

namespace bascule::test {

namespace {

constexpr std::size_t largest_frame = 4096;
std::set<std::string> told;

}  // namespace

std::ostream& operator<<(std::ostream& out, Verdict verdict) {
    switch (verdict) {
        case Verdict::aborted:
            return out << "aborted";
        case Verdict::drop:
            return out << "drop";
        case Verdict::pass:
            return out << "pass";
        case Verdict::tx:
            return out << "tx";
        case Verdict::redirect:
            return out << "redirect";
    }
    return out << "verdict " << static_cast<std::uint32_t>(verdict);
}

std::string hex(const Bytes& bytes) {
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i++) {
        if (i != 0 && i % 2 == 0) text += ' ';
        text += digits[bytes[i] >> 4];
        text += digits[bytes[i] & 15];
    }
    return text;
}

Result<Run> run_program(int program, const Bytes& frame, std::uint32_t repeat) {
    Bytes out(largest_frame);
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = out.data();
    options.data_size_out = static_cast<std::uint32_t>(out.size());
    options.repeat = static_cast<int>(repeat);
    if (const int error = bpf_prog_test_run_opts(program, &options); error != 0)
        return failure(Error::system(
            "run the program with " + std::to_string(frame.size()) + " bytes", -error));
    out.resize(options.data_size_out);
    return Run{{static_cast<Verdict>(options.retval), std::move(out)}, options.duration};
}

Engine::Engine(std::unique_ptr<dataplane::Dataplane> dataplane, std::string bpffs)
    : dataplane_(std::move(dataplane)), bpffs_(std::move(bpffs)), seen_(totals()) {}

Engine::~Engine() {
    dataplane_.reset();
    // What this could leave behind goes with the namespace.
    (void)dataplane::Dataplane::detach_all(bpffs_);
}

Result<std::unique_ptr<Engine>> Engine::open(const std::string& name, std::uint32_t max_sessions) {
    dataplane::Options options;
    options.bpffs = std::string(private_bpffs) + "/" + name;
    options.max_sessions = max_sessions;
    options.max_sessions_v6 = max_sessions;
    options.ring_key = ring_key;
    auto dataplane = dataplane::Dataplane::open(options);
    if (!dataplane) return failure(std::move(dataplane.error()));
    if (auto attached = (*dataplane)->attach(first_interface, model::XdpMode::automatic); !attached)
        return failure(std::move(attached.error()));
    return std::unique_ptr<Engine>(new Engine(std::move(*dataplane), options.bpffs));
}

Result<void> Engine::want(const model::Desired& desired) {
    auto plan = model::plan(dataplane_->tables(), desired);
    if (!plan) return failure(std::move(plan.error()));
    return dataplane_->apply(*plan);
}

void Engine::forget_sessions() {
    for (const dataplane::Session& session : sessions())
        dataplane_->sessions().erase(session.key);
    deltas();
}

int Engine::map(const std::string& name) const {
    const int fd = dataplane_->map_fd(name);
    if (fd < 0) throw std::runtime_error("no map " + name);
    return fd;
}

void Engine::forget_answers_and_fragments() {
    const std::vector<bsc_icmp_budget> budgets(
        static_cast<std::size_t>(libbpf_num_possible_cpus()));
    const std::uint32_t zero = 0;
    if (bpf_map_update_elem(map("icmp_budget"), &zero, budgets.data(), BPF_ANY) != 0)
        throw std::runtime_error("the budget of ICMP answers cannot be written");
    const int fragments = map("fragments");
    for (bsc_fragment_key key; bpf_map_get_next_key(fragments, nullptr, &key) == 0;)
        bpf_map_delete_elem(fragments, &key);
}

void Engine::age_fragments(std::uint32_t seconds) {
    const int fragments = map("fragments");
    std::vector<bsc_fragment_key> keys(1);
    if (bpf_map_get_next_key(fragments, nullptr, &keys[0]) != 0) return;
    for (bsc_fragment_key next; bpf_map_get_next_key(fragments, &keys.back(), &next) == 0;)
        keys.push_back(next);
    for (const bsc_fragment_key& key : keys) {
        bsc_fragment entry;
        if (bpf_map_lookup_elem(fragments, &key, &entry) != 0) continue;
        entry.seconds -= seconds;
        bpf_map_update_elem(fragments, &key, &entry, BPF_EXIST);
    }
}

Outcome Engine::run(const Bytes& frame) const {
    auto run = run_program(dataplane_->program_fd(), frame);
    if (!run) throw std::runtime_error(run.error().text());
    return std::move(run->outcome);
}

Counts Engine::totals() const {
    Counts totals;
    for (const dataplane::Named& drop : dataplane_->drops())
        totals[drop.name] = drop.count;
    for (const dataplane::Named& event : dataplane_->events())
        totals[event.name] = event.count;
    return totals;
}

Counts Engine::counted() {
    Counts now = totals();
    Counts change;
    for (const auto& [name, count] : now)
        if (count != seen_[name]) change[name] = count - seen_[name];
    for (const auto& [name, count] : change)
        told.insert(name);
    seen_ = std::move(now);
    return change;
}

const std::set<std::string>& Engine::ever_counted() {
    return told;
}

std::vector<dataplane::Session> Engine::sessions() {
    std::vector<dataplane::Session> all;
    dataplane_->sessions().for_each([&](const dataplane::Session& session) {
        all.push_back(session);
        return true;
    });
    return all;
}

std::vector<bsc_delta> Engine::deltas() {
    std::vector<bsc_delta> all;
    while (dataplane_->deltas().drain(1024, [&](const bsc_delta& delta) { all.push_back(delta); }) >
           0) {
    }
    return all;
}

std::uint16_t Engine::service_slot(const model::ServiceKey& key) const {
    for (const auto& [slot, service] : dataplane_->tables().services)
        if (service.key == key) return slot;
    return BSC_MAX_SERVICES;
}

std::optional<dataplane::Session> Engine::session(const dataplane::SessionKey& key) {
    return dataplane_->sessions().find(key);
}

std::uint32_t interface_index(const char* name) {
    const unsigned index = ::if_nametoindex(name);
    if (index == 0) throw std::runtime_error(std::string("no interface ") + name);
    return index;
}

}  // namespace bascule::test
