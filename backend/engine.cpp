// SPDX-License-Identifier: Apache-2.0
#include "backend/engine.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "backend/bpf/layout.h"
#include "companion.skel.h"
#include "dataplane/bpffs.h"
#include "dataplane/libbpf_log.h"

namespace bascule::backend {
namespace {

using dataplane::bpf_error;

bbe_address key_of(const Address& address) {
    bbe_address key;
    std::memcpy(&key, address.bytes().data(), sizeof key);
    return key;
}

template <typename Key, typename Value>
Result<void> put(const bpf_map* map, const Key& key, const Value& value) {
    if (bpf_map__update_elem(map, &key, sizeof key, &value, sizeof value, BPF_ANY) != 0)
        return failure(bpf_error(std::string("write the table ") + bpf_map__name(map), errno));
    return {};
}

// The kernel's keys of a hash; bounded by its size, whatever changes meanwhile.
template <typename Key>
std::vector<Key> keys_of(const bpf_map* map) {
    std::vector<Key> keys;
    Key previous{};
    Key key{};
    while (keys.size() < bpf_map__max_entries(map) &&
           bpf_map__get_next_key(map, keys.empty() ? nullptr : &previous, &key, sizeof key) == 0) {
        keys.push_back(key);
        previous = key;
    }
    return keys;
}

// The counters of an earlier set, unless they were laid out otherwise.
Result<void> adopt_counters(bpf_map* counters, const std::string& pin) {
    auto found = dataplane::open_pin(pin);
    if (!found) return failure(std::move(found.error()));
    if (!*found) return {};
    bpf_map_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd((*found)->get(), &info, &size) != 0)
        return failure(bpf_error("read " + pin, errno));
    if (info.max_entries != bpf_map__max_entries(counters) ||
        info.value_size != bpf_map__value_size(counters))
        return {};
    if (const int error = bpf_map__reuse_fd(counters, (*found)->get()); error != 0)
        return failure(bpf_error("take over " + pin, -error));
    return {};
}

// In one step, so that a reader always finds one.
Result<void> pin_counters(const bpf_map* counters, const std::string& pin) {
    const std::string next = pin + "_next";
    if (auto gone = dataplane::unpin(next); !gone) return gone;
    if (auto pinned = dataplane::pin(bpf_map__fd(counters), next); !pinned) return pinned;
    return dataplane::rename_pin(next, pin);
}

}  // namespace

void Engine::Close::operator()(companion_bpf* skeleton) const {
    companion_bpf::destroy(skeleton);
}

Result<Engine> Engine::load(const Config& config, const std::string& counters_pin) {
    const dataplane::LibbpfLog log;
    Engine engine(companion_bpf::open());
    if (!engine.skeleton_) return failure(bpf_error("open the programs", errno));
    engine.skeleton_->rodata->be_gue_port = htons(config.gue_port);
    if (auto adopted = adopt_counters(engine.skeleton_->maps.counters, counters_pin); !adopted)
        return failure(std::move(adopted.error()));
    if (const int error = companion_bpf::load(engine.skeleton_.get()); error != 0) {
        const std::string why = log.verifier();
        Error failed = bpf_error("load the programs", -error);
        return failure(why.empty() ? std::move(failed) : Error(failed.text() + ": " + why));
    }
    if (auto filled = engine.fill(config); !filled) return failure(std::move(filled.error()));
    if (auto pinned = pin_counters(engine.skeleton_->maps.counters, counters_pin); !pinned)
        return failure(std::move(pinned.error()));
    return engine;
}

Result<void> Engine::fill(const Config& config) {
    for (const Prefix& balancer : config.balancers) {
        bbe_prefix key{};
        key.length = balancer.length + (balancer.address.is_v4() ? 96U : 0U);
        std::copy(balancer.address.bytes().begin(), balancer.address.bytes().end(), key.be_address);
        if (auto done = put(skeleton_->maps.balancers, key, std::uint32_t{1}); !done) return done;
    }
    for (const Vip& vip : config.vips)
        if (auto done = fill_vip(config, vip); !done) return done;
    return {};
}

Result<void> Engine::fill_vip(const Config& config, const Vip& vip) {
    vips_.insert(vip.address);
    bbe_vip value{};
    if (vip.modes.ipip) value.modes |= BBE_VIP_IPIP;
    if (vip.modes.gue) value.modes |= BBE_VIP_GUE;
    if (vip.modes.tunnel()) {
        if (config.mss_clamp.automatic) value.overhead = config.overhead_of(vip);
        value.mss = config.mss_clamp.fixed;
    }
    if (auto done = put(skeleton_->maps.vips, key_of(vip.address), value); !done) return done;
    for (const PortPair& port : vip.ports) {
        bbe_port_key key{};
        key.vip = key_of(vip.address);
        key.be_server_port = htons(port.server);
        key.protocol = port.protocol == Protocol::udp ? IPPROTO_UDP : IPPROTO_TCP;
        bbe_port restored{};
        restored.be_service_port = htons(port.service);
        if (port.server == port.service) continue;
        if (auto done = put(skeleton_->maps.server_ports, key, restored); !done) return done;
    }
    return {};
}

int Engine::unwrap_program() const {
    return bpf_program__fd(skeleton_->progs.bascule_unwrap);
}

int Engine::restore_program() const {
    return bpf_program__fd(skeleton_->progs.bascule_restore);
}

std::size_t Engine::set_hosts(const std::vector<HostAddress>& addresses) {
    const bpf_map* map = skeleton_->maps.hosts;
    std::set<Address> wanted;
    for (const HostAddress& address : addresses)
        if (!vips_.contains(address.address)) wanted.insert(address.address);
    for (const bbe_address& key : keys_of<bbe_address>(map)) {
        Address::Bytes bytes;
        std::memcpy(bytes.data(), &key, sizeof key);
        if (!wanted.contains(Address(bytes))) bpf_map__delete_elem(map, &key, sizeof key, 0);
    }
    std::size_t no_room = 0;
    for (const Address& address : wanted)
        if (!put(map, key_of(address), std::uint32_t{1})) ++no_room;
    return no_room;
}

void Engine::set_mtus(const std::vector<Link>& links, const std::vector<std::string>& interfaces) {
    const bpf_map* map = skeleton_->maps.mtus;
    std::set<std::uint32_t> wanted;
    for (const Link& link : links)
        if (std::find(interfaces.begin(), interfaces.end(), link.name) != interfaces.end())
            wanted.insert(link.ifindex);
    for (const std::uint32_t key : keys_of<std::uint32_t>(map))
        if (!wanted.contains(key)) bpf_map__delete_elem(map, &key, sizeof key, 0);
    for (const Link& link : links)
        // At most as many interfaces as the table has room for are configured.
        if (wanted.contains(link.ifindex)) (void)put(map, link.ifindex, link.mtu);
}

const std::vector<CounterInfo>& counter_infos() {
    static const std::vector<CounterInfo> infos = {
#define X(symbol, name, dropped, text) {name, text, (dropped) != 0},
        BBE_COUNTERS(X)
#undef X
    };
    return infos;
}

Result<std::vector<std::uint64_t>> read_counters(const std::string& counters_pin) {
    std::vector<std::uint64_t> sums(BBE_COUNTER_COUNT);
    auto map = dataplane::open_pin(counters_pin);
    if (!map) return failure(std::move(map.error()));
    if (!*map) return sums;
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return failure(bpf_error("count the CPUs", -cpus));
    std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(cpus));
    for (std::uint32_t counter = 0; counter < BBE_COUNTER_COUNT; ++counter) {
        if (bpf_map_lookup_elem((*map)->get(), &counter, per_cpu.data()) != 0)
            return failure(bpf_error("read " + counters_pin, errno));
        for (const std::uint64_t value : per_cpu)
            sums[counter] += value;
    }
    return sums;
}

}  // namespace bascule::backend
