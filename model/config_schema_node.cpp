// SPDX-License-Identifier: Apache-2.0
#include "bpf/contract.h"
#include "model/config_schema_tables.h"

namespace bascule::model {
namespace {

using enum KeyType;
using Words = std::string_view[];

constexpr Words xdp_modes = {"auto", "native", "generic"};
constexpr Words announces = {"l2"};
constexpr Words later_announces = {"bgp"};
constexpr Words levels = {"trace", "debug", "info", "warning", "error"};

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
    {.key = "probe_network_v4",
     .type = network_v4,
     .meaning = "Made-up addresses that checks by the VIP are sent to. They never leave this host, "
                "and nothing else on it may use them.",
     .fallback = "240.64.0.0/10",
     .least = 32 - BSC_PROBE_ADDRESS_BITS,
     .most = 32 - BSC_PROBE_ADDRESS_BITS},
    {.key = "probe_network_v6",
     .type = network_v6,
     .meaning = "The same for IPv6.",
     .fallback = "fd62:6173:6375:6c65::/96",
     .least = probe_prefix_v6,
     .most = probe_prefix_v6},
};

constexpr KeySchema defaults_keys[] = {
    {.key = "forward",
     .type = choice,
     .meaning = "How packets reach backends.",
     .fallback = "l2",
     .choices = forward_words},
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
     .choices = boolean_words},
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
    {.key = "priority",
     .type = priorities,
     .meaning = "In a cluster: the priority of a node for this VIP, where it is another than the "
                "node's, such as `{ lb1 = 150, lb2 = 100 }`. The node of the highest one holds the "
                "VIP; of equal ones who has it, else the first by name. So several VIPs are spread "
                "over the nodes.",
     .fallback = "that of each [[cluster.node]]",
     .least = 0,
     .most = most_priority},
};

constexpr KeySchema log_keys[] = {
    {.key = "level",
     .type = choice,
     .meaning = "The least severe lines that are logged.",
     .fallback = "info",
     .choices = levels},
};

constexpr KeySchema hook_keys[] = {
    {.key = "command",
     .type = command,
     .meaning = "The program, by its absolute path, and its arguments. It and every folder on the "
                "way to it must be root's and writable for root alone. It learns what has happened "
                "from its environment: `BASCULE_EVENT`, `BASCULE_SUBJECT`, `BASCULE_SERVICE`, "
                "`BASCULE_BACKEND`, `BASCULE_TEXT`, `BASCULE_SERIAL`, `BASCULE_NODE`.",
     .fallback = "none is run",
     .least = 1,
     .most = most_arguments},
    {.key = "user", .type = name, .meaning = "Whom the program runs as.", .fallback = "nobody"},
    {.key = "timeout",
     .type = milliseconds,
     .meaning = "It is killed when it takes longer, with all that it has started.",
     .fallback = "5s",
     .least = 100,
     .most = 300'000},
};

constexpr KeySchema http_keys[] = {
    {.key = "listen",
     .type = listen,
     .meaning =
         "Where it is listened. Whoever reaches this address reads all that is there: there is "
         "no password and no TLS. Never a VIP; `0.0.0.0` and `[::]` are all addresses of one "
         "IP version but the VIPs.",
     .fallback = "127.0.0.1:7401"},
};

}  // namespace

TableSchema node_table() {
    return {"node", false, "This machine. Needed once.", node_keys};
}

TableSchema defaults_table() {
    return {"defaults", false, "What holds for services that do not say otherwise.", defaults_keys};
}

TableSchema vip_table() {
    return {"vip", true, "An address that clients connect to; may be repeated.", vip_keys};
}

TableSchema log_table() {
    return {"log", false, "What is logged, to the journal or to standard error.", log_keys};
}

TableSchema hook_table() {
    return {"hook", false,
            "A program that is run on each change of a backend, a service or a VIP, one at a time "
            "and in their order.",
            hook_keys};
}

TableSchema http_table() {
    return {
        "http", false,
        "Answers HTTP: `/metrics`, for Prometheus (docs/reference/metrics.md). Left out, nothing "
        "is listened at; an empty table will do.",
        http_keys};
}

}  // namespace bascule::model
