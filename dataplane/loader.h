// SPDX-License-Identifier: Apache-2.0
// Loads copies of the XDP program: one an interface, all on the same maps.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/descriptor.h"
#include "base/result.h"

struct director_bpf;

namespace bascule::dataplane {

using MapFds = std::map<std::string, Descriptor>;  // by name

// What is a constant to the program.
struct Constants {
    std::array<std::uint64_t, 2> ring_key{};
    std::array<std::uint64_t, 2> table_key{};
    std::uint32_t pages4 = 0;
    std::uint32_t pages6 = 0;
    std::uint32_t clock_multiplier = 0;
};

// What a copy of the program is for.
enum class Flavour {
    live,       // carries traffic
    capturing,  // the same, and reports packets to `capture_records`
    tracing,    // for BPF_PROG_TEST_RUN: writes nothing that a live packet could meet, but notes
    probing,    // another program, which sends probes on clients' way
};

class Program {
public:
    // Maps that are not in `shared` are made.
    static Result<Program> load(const Constants& constants, std::uint32_t port,
                                const MapFds& shared, Flavour flavour = Flavour::live);

    int fd() const { return fd_; }
    // Descriptors of their own of all maps that the program has.
    Result<MapFds> maps() const;

private:
    struct Close {
        void operator()(director_bpf* object) const;
    };
    explicit Program(director_bpf* object) : object_(object) {}
    std::unique_ptr<director_bpf, Close> object_;
    int fd_ = -1;  // of the object's
};

// The maps that a program with these constants would make, to compare pinned ones with.
class MapSpecs {
public:
    static Result<MapSpecs> open(const Constants& constants);
    bool fits(const std::string& name, int fd) const;

private:
    struct Spec {
        std::uint32_t type, key_size, value_size, max_entries, flags;
        bool operator==(const Spec&) const = default;
    };
    std::map<std::string, Spec> specs_;
};

// Id of the map behind a descriptor; 0 when the kernel does not tell.
std::uint32_t map_id(int fd);
// Entries of the map behind a descriptor.
std::uint32_t map_entries(int fd);

}  // namespace bascule::dataplane
