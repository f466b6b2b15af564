// SPDX-License-Identifier: Apache-2.0
// Runs a program behind the wrapper of wrapper.bpf.c: one frame as the template, with the source
// address and port of one flow after the other.
//
// Thread: run() may be called from several threads at once; they share the walk over the flows.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"

struct wrapper_bpf;

namespace bascule::bench {

// What the wrapper puts into every packet: no more and no less.
inline constexpr std::size_t template_bytes = 80;

struct Repeated {
    std::uint32_t verdict = 0;      // of the last round
    std::uint32_t nanoseconds = 0;  // a round, on average
};

class Driver {
public:
    static Result<Driver> open();

    // `frame`: template_bytes long. `flows` are visited in an order of no order; 0: every packet
    // is of a new flow, counted on from `first`.
    Result<void> aim(const std::vector<std::uint8_t>& frame, std::uint32_t flows,
                     std::uint32_t first = 0);
    Result<void> put_under_test(int program);
    Result<Repeated> run(std::uint32_t repeat) const;

    // Reference programs. The first does nothing, so what it costs is the wrapper's.
    int bare_drop() const;
    int minimal_tx() const;
    // Puts an outer IP header before the packet, and nothing more.
    int add_ipv4() const;
    int add_ipv6() const;
    // One random read in a table of so many bytes, then what minimal_tx does.
    Result<int> memory_access(std::uint64_t table_bytes);

private:
    struct Close {
        void operator()(wrapper_bpf* object) const;
    };
    std::unique_ptr<wrapper_bpf, Close> object_;
    std::unique_ptr<wrapper_bpf, Close> with_memory_;
};

}  // namespace bascule::bench
