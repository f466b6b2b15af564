// SPDX-License-Identifier: Apache-2.0
// What one probe found.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bascule::health {

// Kinds of failure, for counters and programs; the words are for people.
enum class Failure {
    none,
    refused,      // RST, or ICMP port unreachable
    unreachable,  // ICMP host, net or administratively unreachable; no route
    timed_out,    // nothing, or not all, within `timeout`
    closed,       // the connection ended too early
    tls,          // no TLS, or a handshake that failed
    certificate,  // expired, of another name, not signed by the CA
    status,       // HTTP status, DNS rcode, exit code
    content,      // the body or answer is not what is expected
    protocol,     // not what the protocol allows
    too_big,      // more than is read of an answer
    path,         // the data plane could not send it: no neighbour, say
    local,        // this host's own fault: no descriptor, no port, program cannot be run
};

inline constexpr std::size_t failure_kinds = static_cast<std::size_t>(Failure::local) + 1;

// "timed_out": what programs see; never changes.
const char* name_of(Failure failure);

struct Outcome {
    Failure failure = Failure::none;
    // One line, at most 200 bytes, printable: what a backend says is quoted and cut. Of a good one
    // too: "200 OK", "answered".
    std::string words;
    // exec: per cent of the configured weight, 0 to 100; nullopt: all of it.
    std::optional<std::uint32_t> weight_percent;
    std::string warning;  // good so far: "certificate expires in 9 days"

    bool ok() const { return failure == Failure::none; }
};

// Printable, one line, at most `most` bytes: what comes from outside, for messages.
std::string quoted(std::string_view text, std::size_t most = 60);

}  // namespace bascule::health
