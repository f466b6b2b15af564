// SPDX-License-Identifier: Apache-2.0
// What stands in strings of the configuration, and how text of a file is shown in messages. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "model/config.h"

namespace bascule::model {

// All of the text, in decimal.
std::optional<std::int64_t> parse_integer(std::string_view text);

// "500ms", "90s", "5m", "1h", "1d".
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// In the largest unit that needs no fraction.
std::string duration_text(std::int64_t seconds);
std::string duration_text(Milliseconds duration);

// An address, with its prefix length or that of a single address.
struct Network {
    Address address;
    unsigned prefix_length = 0;  // 0..32, 0..128
};
std::optional<Network> parse_network(std::string_view text);
// No bit beyond its prefix length.
bool is_network(const Network& network);
// Whether the address is in it; they may be of different IP versions.
bool contains(const Network& network, const Address& address);

// "10.9.0.11:7400", "[fd00::1]:7400"; without a port it gets `port`.
std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t port);

// "8000-8099", which may be reversed, or "any".
std::optional<PortRange> parse_ports(std::string_view text);

// Pairs of digits, spaces between them or not; the bytes that they are.
std::optional<std::string> parse_hex(std::string_view text);

// "200-299,304": codes from 100 to 599.
std::optional<std::vector<StatusRange>> parse_status(std::string_view text);

bool is_name(std::string_view text);
bool is_interface_name(std::string_view text);

// Text of a file as it may stand in a message: quoted, printable, not long.
std::string quoted(std::string_view text);
// "\"a\", \"b\"".
std::string listed(std::span<const std::string_view> words);
// "a", "a and b", "a, b and c".
std::string joined(std::span<const std::string_view> words);
// ", did you mean '...'?", or nothing when nothing is near.
std::string suggestion(std::string_view text, const std::vector<std::string_view>& words);

}  // namespace bascule::model
