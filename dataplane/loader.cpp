// SPDX-License-Identifier: Apache-2.0
#include "dataplane/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <cerrno>
#include <type_traits>

#include "bpf/contract.h"
#include "dataplane/libbpf_log.h"
#include "director.skel.h"

namespace bascule::dataplane {

namespace {

Result<void> set_sizes(director_bpf& object, const Constants& constants) {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return failure(Error::system("count the possible CPUs", -cpus));
    const bool set =
        bpf_map__set_max_entries(object.maps.sessions4, constants.pages4 * BSC_SETS_PER_PAGE_V4) ==
            0 &&
        bpf_map__set_max_entries(object.maps.sessions6, constants.pages6 * BSC_SETS_PER_PAGE_V6) ==
            0 &&
        bpf_map__set_max_entries(object.maps.delta_logs, static_cast<std::uint32_t>(cpus)) == 0 &&
        bpf_map__set_max_entries(object.maps.capture_records, static_cast<std::uint32_t>(cpus)) ==
            0;
    if (!set) return failure(Error::system("set the sizes of the tables", errno));
    return {};
}

void set_constants(director_bpf& object, const Constants& constants, std::uint32_t port,
                   Flavour flavour) {
    auto& rodata = *object.rodata;
    // libbpf's own copy, written before the program is loaded; constants only to the program.
    const auto set = [](const volatile auto& constant, auto value) {
        const_cast<std::remove_cvref_t<decltype(constant)>&>(constant) = value;
    };
    for (std::size_t i = 0; i < 2; i++) {
        set(rodata.ring_key[i], constants.ring_key[i]);
        set(rodata.table_key[i], constants.table_key[i]);
    }
    set(rodata.pages4, constants.pages4);
    set(rodata.pages6, constants.pages6);
    set(rodata.port_index, port);
    set(rodata.clock_multiplier, constants.clock_multiplier);
    set(rodata.tracing, static_cast<std::uint8_t>(flavour == Flavour::tracing));
    set(rodata.capturing, static_cast<std::uint8_t>(flavour == Flavour::capturing));
    set(rodata.probing, static_cast<std::uint8_t>(flavour == Flavour::probing));
}

// One of the object's programs is verified and loaded, and no other.
Result<bpf_program*> choose_program(director_bpf& object, Flavour flavour) {
    const std::string name = flavour == Flavour::probing ? "prober" : "director";
    bpf_program* chosen = nullptr;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, object.obj) {
        const bool wanted = name == bpf_program__name(program);
        if (wanted) chosen = program;
        if (const int error = bpf_program__set_autoload(program, wanted); error != 0)
            return failure(bpf_error("choose the XDP program", -error));
    }
    if (chosen == nullptr) return failure("there is no XDP program '" + name + "'");
    return chosen;
}

Error load_error(int code, const LibbpfLog& log) {
    const std::string verifier = log.verifier();
    Error error = bpf_error("load the XDP program", code);
    return verifier.empty() ? error : Error(error.text() + ": " + verifier);
}

Result<director_bpf*> open_object() {
    director_bpf* object = director_bpf__open();
    if (object == nullptr) return failure(bpf_error("open the XDP program", errno));
    return object;
}

}  // namespace

void Program::Close::operator()(director_bpf* object) const {
    director_bpf__destroy(object);
}

Result<Program> Program::load(const Constants& constants, std::uint32_t port, const MapFds& shared,
                              Flavour flavour) {
    const LibbpfLog log;
    auto object = open_object();
    if (!object) return failure(std::move(object.error()));
    Program program(*object);
    if (auto sized = set_sizes(**object, constants); !sized)
        return failure(std::move(sized.error()));
    set_constants(**object, constants, port, flavour);
    for (const auto& [name, fd] : shared) {
        bpf_map* map = bpf_object__find_map_by_name((*object)->obj, name.c_str());
        if (map == nullptr) continue;
        if (const int error = bpf_map__reuse_fd(map, fd.get()); error != 0)
            return failure(bpf_error("use the map " + name, -error));
    }
    auto chosen = choose_program(**object, flavour);
    if (!chosen) return failure(std::move(chosen.error()));
    if (const int error = director_bpf__load(*object); error != 0)
        return failure(load_error(-error, log));
    program.fd_ = bpf_program__fd(*chosen);
    return program;
}

Result<MapFds> Program::maps() const {
    MapFds fds;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, object_->obj) {
        if (bpf_map__is_internal(map)) continue;
        Descriptor fd(::fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0));
        if (!fd)
            return failure(Error::system("keep the map " + std::string(bpf_map__name(map)), errno));
        fds.emplace(bpf_map__name(map), std::move(fd));
    }
    return fds;
}

Result<MapSpecs> MapSpecs::open(const Constants& constants) {
    const LibbpfLog log;
    auto object = open_object();
    if (!object) return failure(std::move(object.error()));
    const std::unique_ptr<director_bpf, decltype(&director_bpf__destroy)> owner(
        *object, &director_bpf__destroy);
    if (auto sized = set_sizes(**object, constants); !sized)
        return failure(std::move(sized.error()));
    MapSpecs specs;
    bpf_map* map = nullptr;
    bpf_object__for_each_map(map, (*object)->obj) {
        if (bpf_map__is_internal(map)) continue;
        specs.specs_[bpf_map__name(map)] = {bpf_map__type(map), bpf_map__key_size(map),
                                            bpf_map__value_size(map), bpf_map__max_entries(map),
                                            bpf_map__map_flags(map)};
    }
    return specs;
}

bool MapSpecs::fits(const std::string& name, int fd) const {
    const auto spec = specs_.find(name);
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (spec == specs_.end() || bpf_obj_get_info_by_fd(fd, &info, &size) != 0) return false;
    // The kernel sets this one by itself, on device maps.
    const std::uint32_t flags = info.map_flags & ~std::uint32_t{BPF_F_RDONLY_PROG};
    return spec->second == Spec{info.type, info.key_size, info.value_size, info.max_entries, flags};
}

std::uint32_t map_id(int fd) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.id : 0;
}

std::uint32_t map_entries(int fd) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 ? info.max_entries : 0;
}

}  // namespace bascule::dataplane
