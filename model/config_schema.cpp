// SPDX-License-Identifier: Apache-2.0
#include "model/config_schema.h"

#include <algorithm>
#include <stdexcept>

#include "bpf/contract.h"

namespace bascule::model {
namespace {

using enum KeyType;
using Words = std::string_view[];

constexpr std::int64_t day = 24 * 60 * 60;
constexpr std::int64_t longest_embryonic = 120;        // its stamp in a session has 8 bits
constexpr std::int64_t longest_established = 5 * day;  // and this one 20

constexpr Words xdp_modes = {"auto", "native", "generic"};
constexpr Words protocols = {"tcp", "udp"};
constexpr Words forwards = {"l2", "ipip", "gue", "local"};
constexpr Words affinities = {"flow", "source"};
constexpr Words unknowns = {"rehash", "drop"};
constexpr Words on_empties = {"drop", "reset"};
constexpr Words announces = {"l2"};
constexpr Words later_announces = {"bgp"};
constexpr Words probes = {"none"};
constexpr Words later_probes = {"tcp", "http", "https", "udp", "dns", "icmp", "exec"};
constexpr Words booleans = {"false", "true"};
constexpr Words levels = {"trace", "debug", "info", "warning", "error"};

constexpr KeySchema root_keys[] = {
    {.key = "node", .type = table},  {.key = "defaults", .type = table},
    {.key = "vip", .type = tables},  {.key = "service", .type = tables},
    {.key = "log", .type = table},   {.key = "cluster", .type = later},
    {.key = "lists", .type = later}, {.key = "http", .type = later},
};

constexpr KeySchema node_keys[] = {
    {.key = "name",
     .type = name,
     .meaning = "Name of this node, as shown and logged.",
     .fallback = "the host name"},
    {.key = "interfaces",
     .type = interfaces,
     .meaning = "Network interfaces where client traffic arrives: the XDP program goes on each.",
     .required = true,
     .least = 1,
     .most = BSC_MAX_PORTS},
    {.key = "xdp_mode",
     .type = choice,
     .meaning = "How the XDP program is attached: `native` in the driver, `generic` in the stack "
                "(slower, works everywhere), `auto` native where the driver has it.",
     .fallback = "auto",
     .choices = xdp_modes},
    {.key = "max_sessions",
     .type = integer,
     .meaning = "Sessions remembered for each IP version; one takes 16 to 32 bytes for IPv4, 32 to "
                "64 for IPv6.",
     .fallback = "1000000",
     .least = 1024,
     .most = 64'000'000},
    {.key = "max_sessions_v6",
     .type = integer,
     .meaning = "The same for IPv6 alone.",
     .fallback = "max_sessions",
     .least = 1024,
     .most = 64'000'000},
    {.key = "tunnel_source_v4",
     .type = source_v4,
     .meaning =
         "Outer source address of `ipip` and `gue` packets to IPv4 backends. The bits beyond "
         "a prefix length are filled from the flow, so that routers and network cards "
         "spread the flows.",
     .fallback = "the address that the kernel uses towards the backend",
     .least = 8,
     .most = 32},
    {.key = "tunnel_source_v6",
     .type = source_v6,
     .meaning = "The same for IPv6 backends.",
     .fallback = "the address that the kernel uses towards the backend",
     .least = 128 - BSC_MOST_ENTROPY_BITS,
     .most = 128},
};

constexpr std::string_view default_of_file = "that of [defaults]";

constexpr KeySchema defaults_keys[] = {
    {.key = "forward",
     .type = choice,
     .meaning = "How packets reach backends.",
     .fallback = "l2",
     .choices = forwards},
    {.key = "gue_port",
     .type = integer,
     .meaning = "UDP port of `gue` tunnels.",
     .fallback = "6080",
     .least = 1,
     .most = 65535},
    {.key = "copy_dscp",
     .type = boolean,
     .meaning = "Whether tunnels take over the DSCP of what they carry.",
     .fallback = "true",
     .choices = booleans},
    {.key = "mss_clamp",
     .type = integer,
     .meaning = "Largest TCP segment that clients' SYNs may ask servers for; 0: as they ask.",
     .fallback = "0",
     .least = 0,
     .most = 65535},
};

constexpr KeySchema vip_keys[] = {
    {.key = "address",
     .type = prefix,
     .meaning = "The virtual address. A prefix length is accepted and ignored: it is always set as "
                "/32 or /128.",
     .required = true},
    {.key = "interface",
     .type = interface,
     .meaning = "Network interface on which the address lives; may be a VLAN or a bond.",
     .required = true},
    {.key = "announce",
     .type = choice,
     .meaning = "How the network learns where the address is: `l2` by gratuitous ARP or NA.",
     .fallback = "l2",
     .choices = announces,
     .later_choices = later_announces},
    {.key = "priority", .type = later},
};

constexpr KeySchema service_keys[] = {
    {.key = "name", .type = name, .meaning = "Unique name of the service.", .required = true},
    {.key = "vip",
     .type = address,
     .meaning = "Address of the service: one of the `[[vip]]`.",
     .required = true},
    {.key = "port",
     .type = ports,
     .meaning = "Destination port of the clients, a range, or all ports. Where services meet on a "
                "port, its own service comes before a range, and a range before `any`.",
     .required = true},
    {.key = "protocol",
     .type = choice,
     .meaning = "Transport protocol.",
     .fallback = "tcp",
     .choices = protocols},
    {.key = "forward",
     .type = choice,
     .meaning =
         "How packets reach a backend. `l2` rewrites the destination MAC address: the backend is "
         "in the same network segment and has the VIP on its loopback. `ipip` and `gue` tunnel "
         "them, in IP or in UDP, to a backend anywhere, which takes them out and has the VIP on "
         "its loopback. `local`: this host is the backend.",
     .fallback = default_of_file,
     .choices = forwards},
    {.key = "gue_port",
     .type = integer,
     .meaning = "UDP port that backends take tunnelled packets on; only with `gue`.",
     .fallback = default_of_file,
     .least = 1,
     .most = 65535},
    {.key = "copy_dscp",
     .type = boolean,
     .meaning = "Whether the outer header takes over the DSCP of the packet; only with `ipip` and "
                "`gue`. ECN always is taken over.",
     .fallback = default_of_file,
     .choices = booleans},
    {.key = "mss_clamp",
     .type = integer,
     .meaning =
         "Largest TCP segment, in bytes, that the SYN of a client may ask the server for: 536 to "
         "65535, or 0 to let it be. Bounds what servers send; what clients send, "
         "`bascule-backend` bounds. Only for `tcp`.",
     .fallback = default_of_file,
     .least = 0,
     .most = 65535},
    {.key = "affinity",
     .type = choice,
     .meaning = "What chooses a backend for a new flow: `flow`, addresses and ports together; "
                "`source`, the client's address alone.",
     .fallback = "flow",
     .choices = affinities},
    {.key = "unknown",
     .type = choice,
     .meaning = "TCP packets of no known session that are no SYN: `rehash` lets the ring decide, "
                "`drop` drops them.",
     .fallback = "rehash",
     .choices = unknowns},
    {.key = "on_empty",
     .type = choice,
     .meaning = "What new flows get when no backend can take them: `drop` nothing, `reset` a TCP "
                "reset or an ICMP \"port unreachable\".",
     .fallback = "drop",
     .choices = on_empties},
    {.key = "ring_size",
     .type = integer,
     .meaning = "Slots of the Maglev ring; a prime, at least 100 for each backend.",
     .fallback = "65537",
     .least = 101,
     .most = BSC_RING_MAX},
    {.key = "session", .type = table},
    {.key = "health", .type = table},
    {.key = "flood", .type = later},
    {.key = "backend", .type = tables},
};

constexpr KeySchema session_keys[] = {
    {.key = "tcp_embryonic",
     .type = seconds,
     .meaning = "From the SYN to the end of the handshake.",
     .fallback = "60s",
     .least = 3,
     .most = longest_embryonic},
    {.key = "tcp_established",
     .type = seconds,
     .meaning = "A connection without packets.",
     .fallback = "1h",
     .least = 1,
     .most = longest_established},
    {.key = "tcp_closing",
     .type = seconds,
     .meaning = "After a FIN or RST.",
     .fallback = "60s",
     .least = 3,
     .most = longest_established},
    {.key = "udp_embryonic",
     .type = seconds,
     .meaning = "After a first packet without a second.",
     .fallback = "30s",
     .least = 1,
     .most = longest_embryonic},
    {.key = "udp_established",
     .type = seconds,
     .meaning = "A flow of two packets or more without another.",
     .fallback = "5m",
     .least = 1,
     .most = longest_established},
};

constexpr KeySchema health_keys[] = {
    {.key = "type",
     .type = choice,
     .meaning = "How backends are checked: `none`, all count as up.",
     .required = true,
     .choices = probes,
     .later_choices = later_probes},
    {.key = "path", .type = later},
    {.key = "host", .type = later},
    {.key = "port", .type = later},
    {.key = "interval", .type = later},
    {.key = "timeout", .type = later},
    {.key = "rise", .type = later},
    {.key = "fall", .type = later},
    {.key = "command", .type = later},
    {.key = "expect", .type = later},
};

constexpr KeySchema backend_keys[] = {
    {.key = "name",
     .type = name,
     .meaning = "Name of the backend, unique in its service.",
     .fallback = "its address, with its port if one is set"},
    {.key = "address",
     .type = address,
     .meaning = "Address of the real server. With `l2`, of the same IP version as the VIP; with "
                "`local`, the VIP itself.",
     .fallback = "the VIP with `local`; else required"},
    {.key = "port",
     .type = integer,
     .meaning =
         "Port of the real server; packets are rewritten to it. Not for a service on a range "
         "or on any port.",
     .fallback = "the service's port",
     .least = 1,
     .most = 65535},
    {.key = "weight",
     .type = integer,
     .meaning =
         "Share of new flows, relative to the other backends; 0: no new flows, sessions stay.",
     .fallback = "100",
     .least = 0,
     .most = 65535},
    {.key = "backup",
     .type = boolean,
     .meaning = "Whether this backend serves only when no other can take flows. Where all are "
                "backups, they serve like any other.",
     .fallback = "false",
     .choices = booleans},
};

constexpr KeySchema log_keys[] = {
    {.key = "level",
     .type = choice,
     .meaning = "The least severe lines that are logged.",
     .fallback = "info",
     .choices = levels},
};

constexpr TableSchema schema[] = {
    {"", false, "", root_keys},
    {"node", false, "This machine. Needed once.", node_keys},
    {"defaults", false, "What holds for services that do not say otherwise.", defaults_keys},
    {"vip", true, "An address that clients connect to; may be repeated.", vip_keys},
    {"service", true, "What is balanced: ports of one VIP; may be repeated.", service_keys},
    {"service.session", false,
     "How long an idle session is remembered. Durations are whole seconds, as `\"90s\"`, `\"5m\"`, "
     "`\"1h\"` or `\"1d\"`. Only the keys of the service's protocol may stand here.",
     session_keys},
    {"service.health", false, "How the backends of the service are checked.", health_keys},
    {"service.backend", true, "A real server of the service; at least one.", backend_keys},
    {"log", false, "What is logged, to the journal or to standard error.", log_keys},
};

}  // namespace

std::span<const TableSchema> config_schema() {
    return schema;
}

const TableSchema& table_schema(std::string_view path) {
    const auto found = std::find_if(std::begin(schema), std::end(schema),
                                    [&](const TableSchema& one) { return one.path == path; });
    if (found == std::end(schema)) throw std::logic_error("no such table in the schema");
    return *found;
}

const KeySchema& key_schema(const TableSchema& table, std::string_view key) {
    const auto found = std::find_if(table.keys.begin(), table.keys.end(),
                                    [&](const KeySchema& one) { return one.key == key; });
    if (found == table.keys.end()) throw std::logic_error("no such key in the schema");
    return *found;
}

}  // namespace bascule::model
