// SPDX-License-Identifier: Apache-2.0
#include "model/config_schema_tables.h"

namespace bascule::model {
namespace {

using enum KeyType;

constexpr std::string_view failbacks[] = {"when-synced", "never"};
constexpr std::int64_t a_day = 86'400'000;  // milliseconds

constexpr KeySchema cluster_keys[] = {
    {.key = "name",
     .type = name,
     .meaning =
         "Name of the cluster: nodes of another one are not listened to, whatever their key.",
     .required = true},
    {.key = "key_file",
     .type = file,
     .meaning = "The secrets that the nodes share, made by `bascule keygen` and the same on every "
                "node. Nobody but root, or the user whom `basculed` runs as, may read it.",
     .fallback = "/etc/bascule/cluster.key"},
    {.key = "heartbeat_interval",
     .type = milliseconds,
     .meaning = "How often a node is heard, on each path.",
     .fallback = "20ms",
     .least = 10,
     .most = 1000},
    {.key = "dead_after",
     .type = integer,
     .meaning = "A node is dead after so many silent intervals on all paths, when it does not "
                "answer direct questions either. Together 30 ms to 10 s.",
     .fallback = "5",
     .least = 2,
     .most = 20},
    {.key = "failback",
     .type = choice,
     .meaning = "Whether a node of more priority than a VIP's holder takes the VIP back once its "
                "sessions are in step, or leaves it where it is until the holder goes.",
     .fallback = "when-synced",
     .choices = failbacks},
    {.key = "failback_delay",
     .type = milliseconds,
     .meaning = "How long it has been able to, without a break, before it takes the VIP back.",
     .fallback = "0s",
     .least = 0,
     .most = a_day},
    {.key = "witness",
     .type = addresses,
     .meaning = "Addresses (a gateway, say) of which one must answer, or the node gives up its "
                "VIPs: so that of two nodes that do not hear each other only one holds them. It "
                "keeps them while another node lives and sees no witness either.",
     .fallback = "none is asked",
     .least = 0,
     .most = most_witnesses},
    {.key = "node", .type = tables},
};

constexpr KeySchema cluster_node_keys[] = {
    {.key = "name",
     .type = name,
     .meaning = "Name of the node: its `name` in `[node]`, or its host name.",
     .required = true},
    {.key = "addresses",
     .type = endpoints,
     .meaning = "Where the other nodes reach it: heartbeats by UDP, streams by TCP. The first "
                "addresses of all nodes are one path, their second ones another, and so on: each "
                "node has as many, and those of a path are of one IP version.",
     .required = true,
     .least = 1,
     .most = most_cluster_paths},
    {.key = "priority",
     .type = integer,
     .meaning = "The node of the highest priority holds a VIP; of equal ones who has it, else the "
                "first by name. `priority` of a `[[vip]]` says it for that VIP alone.",
     .fallback = "100",
     .least = 0,
     .most = most_priority},
};

}  // namespace

TableSchema cluster_table() {
    return {"cluster", false,
            "The nodes that belong together; the same on each of them. Left out, the node is by "
            "itself.",
            cluster_keys};
}

TableSchema cluster_node_table() {
    return {"cluster.node", true,
            "A node of the cluster; 2 to 16 of them, this one included. The same on every node.",
            cluster_node_keys};
}

}  // namespace bascule::model
