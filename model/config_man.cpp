// SPDX-License-Identifier: Apache-2.0
// bascule.toml(5): the words around what the schema tells.
#include "model/config_reference.h"
#include "model/man_text.h"

namespace bascule::model {
namespace {

constexpr std::string_view opening = R"(.Sh NAME
.Nm bascule.toml
.Nd configuration of a Bascule load balancer node
.Sh SYNOPSIS
.Bl -item -compact
.It
.Pa /etc/bascule/bascule.toml
.It
.Pa /etc/bascule/conf.d/*.toml
.El
.Sh DESCRIPTION
.Xr basculed 8
reads
.Nm ,
then the files of
.Pa conf.d
beside it in the order of their names.
They are written in TOML
.Pq Lk https://toml.io .
The
.Li [[...]]
tables of all files are taken together; a key of a
.Li [...]
table may be set in one file only.
.Pp
The nodes of a cluster carry the same files.
A node finds itself by its name.
.Pp
Durations are texts with a unit:
.Ql \(dq250ms\(dq ,
.Ql \(dq90s\(dq ,
.Ql \(dq5m\(dq ,
.Ql \(dq1h\(dq ,
.Ql \(dq1d\(dq .
A key that is not known is an error, and the message says which one is near.
.Pp
After an edit,
.Ql bascule check
reports every error of every file as
.Ar file : Ns Ar line : Ns Ar column : message
and changes nothing, and
.Ql bascule reload
applies the files: whole, as the smallest change, or not at all.
A reload is refused that would change
.Cm max_sessions
or
.Cm max_sessions_v6 ,
which takes a restart of
.Xr basculed 8 ,
or
.Cm xdp_mode ,
which takes
.Ql bascule detach
before the restart.
.Sh TABLES
)";

constexpr std::string_view example = R"([node]
interfaces = ["eth0"]

[[vip]]
address = "192.0.2.100"
interface = "eth0"

[[service]]
name = "web"
vip = "192.0.2.100"
port = 80

[service.health]
type = "http"
path = "/healthz"

[[service.backend]]
name = "web1"
address = "192.0.2.21"

[[service.backend]]
name = "web2"
address = "192.0.2.22"
weight = 50
)";

constexpr std::string_view files = R"(.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/bascule/bascule.toml , /etc/bascule/conf.d/*.toml
The configuration.
.It Pa /etc/bascule/cluster.key
The secrets of a cluster, mode 0600, made by
.Ql bascule keygen .
.It Pa /etc/bascule/examples/*.toml
Examples; no program reads them.
.El
)";

constexpr std::string_view closing = R"(.Pp
More, each with its comments, are in
.Pa /etc/bascule/examples :
a single node, a pair, IPIP, rewritten ports, DNS.
.Sh SEE ALSO
.Xr bascule 1 ,
.Xr bascule-backend.toml 5 ,
.Xr basculed 8
)";

std::string to_come_text() {
    std::string text =
        ".Sh CAVEATS\nKnown, but not supported by this version, and refused with a message that "
        "says so:\n.Bl -bullet -compact\n";
    for (const std::string& key : keys_to_come())
        text += ".It\n" + man_text(key);
    return text + ".El\n";
}

}  // namespace

std::string_view config_man_example() {
    return example;
}

std::string config_man_page() {
    std::string text = man_head("bascule.toml") + std::string(opening);
    for (const TableSchema& table : config_schema())
        if (!table.path.empty()) text += man_section(table);
    text += std::string(files) + ".Sh EXAMPLES\nA service of two web servers, on one node:\n" +
            man_literal(example);
    return text + std::string(closing) + to_come_text();
}

}  // namespace bascule::model
