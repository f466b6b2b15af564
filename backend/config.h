// SPDX-License-Identifier: Apache-2.0
// What a real server is told: its balancers, its VIPs, how their packets come, which of its ports
// stand for which of a service's. Text in, checked values out; pure, all errors in one go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "model/config.h"

namespace bascule::backend {

using model::Protocol;

// An address is a prefix of 32 or 128 bits.
struct Prefix {
    Address address;
    std::uint8_t length = 0;  // of the address's own family

    bool is_single() const { return length == (address.is_v4() ? 32 : 128); }
    std::string to_string() const;
    bool operator==(const Prefix&) const = default;
};

// How packets for a VIP may arrive.
struct Modes {
    bool l2 = false;
    bool ipip = false;
    bool gue = false;
    bool local = false;

    bool tunnel() const { return ipip || gue; }
    std::string to_string() const;  // "l2, gue"
    bool operator==(const Modes&) const = default;
};

// Host order.
struct PortPair {
    Protocol protocol = Protocol::tcp;
    std::uint16_t service = 0;
    std::uint16_t server = 0;

    std::string to_string() const;  // "tcp 25001 as 25000"
    bool operator==(const PortPair&) const = default;
};

struct Vip {
    Address address;
    Modes modes;
    bool hold = true;  // false: somebody else puts it on this host
    std::vector<PortPair> ports;

    bool operator==(const Vip&) const = default;
};

struct MssClamp {
    bool automatic = true;    // by the interface's MTU
    std::uint16_t fixed = 0;  // otherwise; 0: none

    bool operator==(const MssClamp&) const = default;
};

struct Config {
    std::vector<std::string> interfaces;
    std::vector<Prefix> balancers;
    std::uint16_t gue_port = 6080;
    MssClamp mss_clamp;
    bool persist = true;
    std::vector<Vip> vips;

    bool has_tunnels() const;
    // A program on egress is of use: ports to restore, or an MSS to lower.
    bool needs_restore() const;
    // Bytes that the largest of the VIP's tunnels adds, by the families of the balancers; 0: none.
    std::uint16_t overhead_of(const Vip& vip) const;

    bool operator==(const Config&) const = default;
};

struct ParsedConfig {
    std::optional<Config> config;           // when there are no errors
    std::vector<model::Diagnostic> errors;  // in the order of the file
};

// `file` is how errors name it.
ParsedConfig parse_config(const std::string& file, const std::string& text);

// Every key as "section.key", for the test that the reference has them all.
std::vector<std::string> config_keys();

}  // namespace bascule::backend
