// SPDX-License-Identifier: Apache-2.0
// The least that replication can cost: a TLS connection that carries the same bytes, and a table
// that takes the same sessions.
#pragma once

#include <chrono>
#include <cstdint>

namespace bascule::bench {

struct TlsCopy {
    std::chrono::nanoseconds sender{0};    // CPU
    std::chrono::nanoseconds receiver{0};  // CPU
    std::chrono::nanoseconds wall{0};
};

// The suite and the sockets of streams, writes of `frame` bytes, nothing made of what arrives.
// Throws std::runtime_error.
TlsCopy copy_by_tls(std::uint64_t bytes, std::size_t frame);

// CPU of putting so many new sessions into an empty table that has room for them twice.
std::chrono::nanoseconds put_into_table(std::uint32_t sessions);

}  // namespace bascule::bench
