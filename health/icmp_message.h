// SPDX-License-Identifier: Apache-2.0
// ICMP (RFC 792, RFC 4443) as probes need it: echo requests out, echo replies and errors about our
// own requests in, and errors in words. Pure; lengths are checked before anything is read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/address.h"

namespace bascule::health {

struct Echo {
    static constexpr std::size_t token_size = 16;

    std::uint16_t id = 0;  // host order, both
    std::uint16_t sequence = 0;
    std::array<std::uint8_t, token_size> token{};  // its payload: only who saw the request knows it

    bool operator==(const Echo&) const = default;
};

// From the ICMP header on. The checksum of IPv6 is the kernel's to set (RFC 3542, section 3.1).
std::vector<std::uint8_t> encode_echo(bool v4, const Echo& echo);

// What came back about an echo request.
struct EchoAnswer {
    Echo echo;  // of an error without its token: errors quote too little
    bool is_error = false;
    std::uint8_t type = 0;  // of an error
    std::uint8_t code = 0;
    Address destination;  // of an error: where the request was going
};

// `packet`: as a raw socket hands it out, so with the IP header for IPv4 and without for IPv6.
// Nullopt: something else, or too short.
std::optional<EchoAnswer> decode_echo_answer(bool v4, std::span<const std::uint8_t> packet);

// "host unreachable", "administratively prohibited"; an unknown one by its numbers.
std::string icmp_words(bool v4, std::uint8_t type, std::uint8_t code);

}  // namespace bascule::health
