// SPDX-License-Identifier: Apache-2.0
#include "bpf/contract.h"
#include "model/config_schema_tables.h"

namespace bascule::model {
namespace {

using enum KeyType;
using Words = std::string_view[];

constexpr std::int64_t day = 24 * 60 * 60;
constexpr std::int64_t longest_embryonic = 120;        // its stamp in a session has 8 bits
constexpr std::int64_t longest_established = 5 * day;  // and this one 20
constexpr std::string_view default_of_file = "that of [defaults]";

constexpr Words protocols = {"tcp", "udp"};
constexpr Words affinities = {"flow", "source"};
constexpr Words unknowns = {"rehash", "drop"};
constexpr Words on_empties = {"drop", "reset"};

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
     .choices = forward_words},
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
     .choices = boolean_words},
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
    {.key = "quorum",
     .type = integer,
     .meaning = "Backends that must be able to serve, backups included. While there are fewer, "
                "none takes new flows, and they get what `on_empty` says; sessions stay.",
     .fallback = "1",
     .least = 1,
     .most = BSC_MAX_BACKENDS - 1},
    {.key = "give_up_vip",
     .type = boolean,
     .meaning = "Whether this node lets go of the VIP while the service is below its quorum.",
     .fallback = "false",
     .choices = boolean_words},
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
     .choices = boolean_words},
    {.key = "check_address",
     .type = address,
     .meaning = "What is checked instead of `address`: its own management address, say. Such a "
                "backend is never checked by the VIP.",
     .fallback = "the address"},
    {.key = "check_port",
     .type = integer,
     .meaning = "The port that is checked, for this backend alone. The same holds.",
     .fallback = "that of [service.health], else the port",
     .least = 1,
     .most = 65535},
};

}  // namespace

TableSchema service_table() {
    return {"service", true, "What is balanced: ports of one VIP; may be repeated.", service_keys};
}

TableSchema session_table() {
    return {
        "service.session", false,
        "How long an idle session is remembered. Durations are whole seconds, as `\"90s\"`, "
        "`\"5m\"`, `\"1h\"` or `\"1d\"`. Only the keys of the service's protocol may stand here.",
        session_keys};
}

TableSchema backend_table() {
    return {"service.backend", true, "A real server of the service; at least one.", backend_keys};
}

}  // namespace bascule::model
