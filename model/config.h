// SPDX-License-Identifier: Apache-2.0
// The configuration as values, and the way from its text to them.
//
// parse_config is pure: it is given the texts of all files and knows neither disk nor clock. It
// reports every error of every file in one go, each with its place, and returns a configuration
// only when there is none.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace bascule::model {

using Seconds = std::chrono::seconds;
using Milliseconds = std::chrono::milliseconds;

enum class XdpMode { automatic, native, generic };
enum class Protocol { tcp, udp };
enum class Affinity { flow, source };
enum class Unknown { rehash, drop };
enum class Forward { l2, ipip, gue, local };
enum class OnEmpty { drop, reset };
enum class ProbeType { none, tcp, http, https, udp, dns, icmp, exec };
enum class Via { vip, address };

const char* name_of(Forward forward);    // "l2", as in the file
const char* name_of(ProbeType type);     // "http"
const char* name_of(Via via);            // "vip"
const char* name_of(Protocol protocol);  // "tcp"

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

// Where something was written. All are equal: a line that has moved is no change.
struct Origin {
    std::string file;
    std::uint32_t line = 0;  // from 1
    std::uint32_t column = 0;

    bool operator==(const Origin&) const { return true; }
};

// A program that the daemon runs.
struct ProgramConfig {
    std::vector<std::string> command;  // an absolute path, then its arguments; empty: none
    std::string user = "nobody";
    Origin origin;  // of `command`

    bool operator==(const ProgramConfig&) const = default;
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
    // Made-up destinations of probes by `via = "vip"`: they never leave this host. The last
    // BSC_PROBE_ADDRESS_BITS bits are the probe's; /10 and /96.
    Address probe_network_v4 = Address::v4({240, 64, 0, 0});
    Address probe_network_v6{Address::Bytes{0xfd, 0x62, 0x61, 0x73, 0x63, 0x75, 0x6c, 0x65}};

    bool operator==(const NodeConfig&) const = default;
};

struct VipConfig {
    Address address;
    std::string interface;
    std::map<std::string, std::uint32_t> priority = {};  // by name of a node, where it is another

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
    // What is checked instead of `address` and `port`; then never by the VIP.
    std::optional<Address> check_address = std::nullopt;
    std::uint16_t check_port = 0;  // host order; 0: not another one

    bool operator==(const BackendConfig&) const = default;
};

// HTTP status codes, both ends included.
struct StatusRange {
    std::uint16_t first = 200;
    std::uint16_t last = 399;

    bool operator==(const StatusRange&) const = default;
};

// How the backends of a service are checked. Fields of other types than `type` keep their defaults.
struct HealthConfig {
    ProbeType type = ProbeType::none;
    // Resolved: `vip` only for tcp, http, https, udp and dns, never with `local`, and never for a
    // range or any port without `port`.
    Via via = Via::address;
    // Host order. Via the VIP: a port of the service (0: its single one). Via the address: 0 is the
    // backend's own. 0 for icmp and exec.
    std::uint16_t port = 0;
    std::optional<Address> source;  // default: what the kernel would use towards the backend

    Milliseconds interval{1000};
    Milliseconds fast_interval{250};  // while in doubt; default: a quarter of `interval`
    Milliseconds timeout{500};        // of one probe, from its first byte to its verdict
    std::uint32_t rise = 2;           // good ones in a row that bring it up
    std::uint32_t fall = 3;           // bad ones in a row that bring it down
    Milliseconds slow_start{0};       // from a tenth of its weight to all of it after a return
    // More than `flap_limit` falls within `flap_window`: held down for `hold_down`, twice as long
    // each further time, at most `hold_down_most`.
    std::uint32_t flap_limit = 3;  // 0: never held down
    Milliseconds flap_window{60'000};
    Milliseconds hold_down{10'000};
    Milliseconds hold_down_most{300'000};

    std::string send;          // tcp, udp: bytes
    std::string expect;        // tcp, udp, http, https: bytes that the answer or body contains
    std::string expect_regex;  // the same as a regular expression (RE2); at most one of the two

    std::string method = "GET";  // http, https
    std::string path = "/";
    std::string host;  // default: the VIP, or the address that is checked, as in a URL
    std::vector<std::string> headers;  // "Name: value"
    std::vector<StatusRange> status{StatusRange{}};
    bool keep_alive = false;
    std::uint32_t body_limit = 262'144;  // bytes; a longer body is a failure

    std::string sni;  // https; default: `host` if it is a name
    std::string ca;   // file; default: the system's
    bool verify = true;
    std::string certificate;                                  // file, of the client
    std::string key;                                          // file, its key
    Milliseconds expiry_warning{14 * 24 * 60 * 60 * 1000LL};  // 0: never

    std::string dns_name;  // dns
    std::string dns_type = "A";
    std::string dns_rcode = "NOERROR";
    std::string dns_answer;  // address or text that one of the answers must be; empty: any

    ProgramConfig program;  // exec

    Origin origin;     // of the table
    Origin ca_origin;  // of those keys, for what only the disk can tell
    Origin cert_origin;
    Origin key_origin;

    bool operator==(const HealthConfig&) const = default;
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
    HealthConfig health;
    // Backends that have to be able to serve (backups count); with fewer nothing takes new flows.
    std::uint32_t quorum = 1;
    bool give_up_vip = false;  // and then the VIP is let go as well
    std::vector<BackendConfig> backends;

    bool operator==(const ServiceConfig&) const = default;
};

// Where the checks of a backend go, as far as the file tells.
struct CheckPoint {
    Via via = Via::address;
    Address address;         // the VIP, or what is checked instead
    std::uint16_t port = 0;  // host order; 0: icmp, or exec of a service on several ports
};
// By the VIP only when the service's checks are and the backend has none of its own.
CheckPoint check_point(const ServiceConfig& service, const BackendConfig& backend);

enum class LogLevel { trace, debug, info, warning, error };

struct LogConfig {
    LogLevel level = LogLevel::info;

    bool operator==(const LogConfig&) const = default;
};

// A program that is run on every change of a backend, service or VIP.
struct HookConfig {
    ProgramConfig program;
    Milliseconds timeout{5000};

    bool operator==(const HookConfig&) const = default;
};

enum class Failback { when_synced, never };
const char* name_of(Failback failback);  // "when-synced", as in the file

// Where a node of the cluster is reached: heartbeats by UDP, streams by TCP.
struct Endpoint {
    Address address;         // a unicast address that is not a VIP
    std::uint16_t port = 0;  // host order

    auto operator<=>(const Endpoint&) const = default;
    std::string to_string() const;  // "10.9.0.11:7400", "[fd00::1]:7400"
};

// How many paths and nodes there may be, and what is listened at when no port is written.
inline constexpr std::size_t most_cluster_nodes = 16;
inline constexpr std::size_t most_cluster_paths = 4;
inline constexpr std::uint16_t cluster_port = 7400;

struct ClusterNodeConfig {
    std::string name;  // unique
    // Path i leads to address i of every node: all have the same number of them, and those of one
    // path are of one family.
    std::vector<Endpoint> addresses;
    std::uint32_t priority =
        100;  // for every VIP; the highest holds it, of equals the first by name
    Origin origin;

    bool operator==(const ClusterNodeConfig&) const = default;
};

// The nodes that belong together: the same on each of them.
struct ClusterConfig {
    std::string name;
    std::string key_file = "/etc/bascule/cluster.key";
    Milliseconds heartbeat_interval{20};
    std::uint32_t dead_after = 5;  // silent intervals on every path
    Failback failback = Failback::when_synced;
    Milliseconds failback_delay{0};
    std::vector<Address> witness;
    std::vector<ClusterNodeConfig> nodes;  // this one included; at least two
    Origin origin;                         // of the table
    Origin key_origin;                     // of `key_file`

    bool operator==(const ClusterConfig&) const = default;
    // nullptr: there is none of that name.
    const ClusterNodeConfig* find(std::string_view node) const;
    // Of a node for a VIP; 0: there is no such node.
    std::uint32_t priority_of(std::string_view node, const VipConfig& vip) const;
};

inline constexpr std::uint16_t http_port = 7401;  // where none is written

// Where the daemon answers HTTP: metrics. (RFC 9110; plain, so for this host or a trusted network.)
struct HttpConfig {
    // The unspecified address of one IP version: all that this host has but its VIPs.
    Endpoint listen{Address::v4({127, 0, 0, 1}), http_port};
    Origin origin;  // of `listen`

    bool operator==(const HttpConfig&) const = default;
};

struct Config {
    NodeConfig node;
    std::optional<ClusterConfig> cluster;  // none: a node by itself
    std::vector<VipConfig> vips;
    std::vector<ServiceConfig> services;
    LogConfig log;
    HookConfig hook;
    std::optional<HttpConfig> http;  // none: nothing is listened at

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
