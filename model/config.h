// SPDX-License-Identifier: Apache-2.0
// The configuration as values, and the way from its text to them.
//
// parse_config is pure: it is given the texts of all files and knows neither disk nor clock. It
// reports every error of every file in one go, each with its place, and returns a configuration
// only when there is none.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace bascule::model {

using Seconds = std::chrono::seconds;

enum class XdpMode { automatic, native, generic };
enum class Protocol { tcp, udp };
enum class Affinity { flow, source };
enum class Unknown { rehash, drop };
enum class Forward { l2, ipip, gue, local };
enum class OnEmpty { drop, reset };

const char* name_of(Forward forward);  // "l2", as in the file

// An address whose last bits, beyond the prefix length, are each flow's own: what a tunnel's
// packets come from, so that what lies between spreads them. A length of 32 or 128 has none.
struct TunnelSource {
    Address address;
    std::uint8_t prefix_length = 0;

    bool operator==(const TunnelSource&) const = default;
};

// Destination ports of a service, host order, both ends included.
struct PortRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;

    bool is_single() const { return first == last; }
    bool is_any() const { return first == 0 && last == 65535; }
    std::string to_string() const;  // "80", "8000-8099", "any"
    auto operator<=>(const PortRange&) const = default;
};

struct NodeConfig {
    std::string name;  // default: the host name
    std::vector<std::string> interfaces;
    XdpMode xdp_mode = XdpMode::automatic;
    std::uint32_t max_sessions = 1'000'000;     // per family
    std::uint32_t max_sessions_v6 = 1'000'000;  // default: max_sessions
    // Default: the address that the kernel would use towards the backend.
    std::optional<TunnelSource> tunnel_source_v4;
    std::optional<TunnelSource> tunnel_source_v6;

    bool operator==(const NodeConfig&) const = default;
};

struct VipConfig {
    Address address;
    std::string interface;

    bool operator==(const VipConfig&) const = default;
};

// Idle limits of one service's sessions.
struct SessionLimits {
    Seconds embryonic{};    // tcp_embryonic | udp_embryonic
    Seconds established{};  // tcp_established | udp_established
    Seconds closing{};      // tcp_closing; UDP has none: equal to established

    bool operator==(const SessionLimits&) const = default;
};

inline constexpr std::uint32_t most_weight = 65535;

struct BackendConfig {
    std::string
        name;  // unique in its service; default: its address, with its port if one is written
    Address address;         // of the VIP's family for l2; the VIP itself for local
    std::uint16_t port = 0;  // host order; 0: packets keep the client's port (ranges, any port)
    std::uint32_t weight = 100;
    bool backup = false;  // serves only when no other backend takes flows

    bool operator==(const BackendConfig&) const = default;
};

struct ServiceConfig {
    std::string name;  // unique
    Address vip;
    PortRange ports;
    Protocol protocol = Protocol::tcp;
    Forward forward = Forward::l2;
    Affinity affinity = Affinity::flow;
    Unknown unknown = Unknown::rehash;
    OnEmpty on_empty = OnEmpty::drop;
    std::uint16_t mss_clamp = 0;  // bytes; 0: SYNs go on as they are
    bool copy_dscp = true;        // to the outer header of a tunnel
    std::uint16_t gue_port = 6080;
    std::uint32_t ring_size = 65537;  // a prime
    SessionLimits limits;
    std::vector<BackendConfig> backends;

    bool operator==(const ServiceConfig&) const = default;
};

enum class LogLevel { trace, debug, info, warning, error };

struct LogConfig {
    LogLevel level = LogLevel::info;

    bool operator==(const LogConfig&) const = default;
};

struct Config {
    NodeConfig node;
    std::vector<VipConfig> vips;
    std::vector<ServiceConfig> services;
    LogConfig log;

    bool operator==(const Config&) const = default;
};

// One file's text, in the order in which files are merged.
struct SourceText {
    std::string file;  // as shown in messages
    std::string text;
};

struct Diagnostic {
    std::string file;
    std::uint32_t line = 0;    // from 1; 0: the file as a whole
    std::uint32_t column = 0;  // from 1, in bytes
    std::string message;

    // "file:line:column: message"
    std::string to_string() const;
};

struct ParsedConfig {
    std::optional<Config> config;    // set exactly when `errors` is empty
    std::vector<Diagnostic> errors;  // in order of file, line, column
};

// `host_name` is the default of node.name.
ParsedConfig parse_config(const std::vector<SourceText>& sources, std::string_view host_name);

}  // namespace bascule::model
