// SPDX-License-Identifier: Apache-2.0
#include "backend/config_schema.h"

#include "backend/bpf/layout.h"

namespace bascule::backend {
namespace {

using model::KeySchema;
using model::KeyType;
using model::TableSchema;

constexpr std::string_view yes_no[] = {"true", "false"};
constexpr std::string_view protocols[] = {"tcp", "udp"};

constexpr KeySchema root_keys[] = {
    {.key = "server", .type = KeyType::table},
    {.key = "vip", .type = KeyType::tables},
};

static_assert(BBE_MAX_BALANCERS == 256 && least_mss == 88 && most_mss == 65475,
              "as the values below say");

constexpr KeySchema server_keys[] = {
    {.key = "interfaces",
     .type = KeyType::interfaces,
     .meaning = "Ethernet interfaces where packets of the balancers arrive and answers leave.",
     .required = true,
     .least = 1,
     .most = BBE_MAX_INTERFACES},
    {.key = "balancers",
     .type = KeyType::interfaces,  // read by its own reader
     .meaning = "Sources that tunnels are accepted from: the balancers' addresses, or the prefixes "
                "that their `tunnel_source_v4` and `tunnel_source_v6` name. Needed when a VIP has "
                "`ipip` or `gue`. A tunnel packet for a VIP from elsewhere is dropped and counted. "
                "A prefix length of 0 is refused.",
     .fallback = "none is accepted",
     .value = "array of at most 256 addresses and prefixes"},
    {.key = "gue_port",
     .type = KeyType::integer,
     .meaning = "Destination port of GUE, as on the balancers.",
     .fallback = "6080",
     .least = 1,
     .most = 65535},
    {.key = "mss_clamp",
     .type = KeyType::name,  // read by its own reader
     .meaning = "Largest segment size that a SYN+ACK of a VIP with a tunnel tells the client: "
                "`auto`, what fits the interface's MTU behind the VIP's largest tunnel header and "
                "40 (IPv4) or 60 (IPv6) bytes of headers; `0`, left as it is. It is only ever "
                "lowered.",
     .fallback = "auto",
     .value = "`\"auto\"`, `0` or integer, 88 to 65475"},
    {.key = "persist",
     .type = KeyType::boolean,
     .meaning = "Whether the ARP settings are written to "
                "`/etc/sysctl.d/60-bascule-backend.conf`, too, until the program is stopped.",
     .fallback = "true",
     .choices = yes_no},
};

constexpr KeySchema vip_keys[] = {
    {.key = "address",
     .type = KeyType::prefix,
     .meaning = "The VIP. It is put on `lo` as /32 or /128, unless this host has it already.",
     .required = true},
    {.key = "forward",
     .type = KeyType::interfaces,  // read by its own reader
     .meaning = "How packets for the VIP may come. A tunnel of a kind that is not here is dropped "
                "and counted.",
     .required = true,
     .value = "array of `\"l2\"`, `\"ipip\"`, `\"gue\"`, `\"local\"`"},
    {.key = "hold",
     .type = KeyType::boolean,
     .meaning = "Whether this program puts the VIP on `lo`; `false` when somebody else has it on "
                "this host, as `basculed` on a balancer node.",
     .fallback = "true",
     .choices = yes_no},
    {.key = "port", .type = KeyType::tables},
};

constexpr KeySchema port_keys[] = {
    {.key = "protocol",
     .type = KeyType::choice,
     .meaning = "Transport protocol.",
     .fallback = "tcp",
     .choices = protocols},
    {.key = "service",
     .type = KeyType::integer,
     .meaning = "Port that clients use.",
     .required = true,
     .least = 1,
     .most = 65535},
    {.key = "server",
     .type = KeyType::integer,
     .meaning = "Port that the server listens on; the backend's `port` in the balancer's "
                "configuration.",
     .required = true,
     .least = 1,
     .most = 65535},
};

}  // namespace

constexpr TableSchema root_schema{"", false, {}, root_keys};
constexpr TableSchema server_schema{"server", false, "This machine. Needed once.", server_keys};
static_assert(BBE_MAX_VIPS == 256, "as the meaning says");
constexpr TableSchema vip_schema{
    "vip", true, "An address that clients connect to; at least one, at most 256.", vip_keys};
static_assert(BBE_MAX_PORTS == 4096, "as the meaning says");
constexpr TableSchema port_schema{
    "vip.port", true,
    "A port of the server that stands for another one of the service; as many as 4096 in all. What "
    "leaves the VIP from the server's port, also in the ICMP errors about it, leaves from the "
    "service's. A port of the server stands for one port only; several may stand for the same.",
    port_keys};

std::span<const TableSchema* const> config_schema() {
    static constexpr const TableSchema* schema[] = {&server_schema, &vip_schema, &port_schema};
    return schema;
}

}  // namespace bascule::backend
