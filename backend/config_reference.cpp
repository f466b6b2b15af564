// SPDX-License-Identifier: Apache-2.0
// Documents of backend.toml: what the schema tells, and the words around it.
#include "model/config_reference.h"

#include "backend/config_schema.h"
#include "model/man_text.h"

namespace bascule::backend {
namespace {

constexpr std::string_view opening = R"(.Sh NAME
.Nm bascule-backend.toml
.Nd configuration of a real server behind a Bascule load balancer
.Sh SYNOPSIS
.Pa /etc/bascule/backend.toml
.Sh DESCRIPTION
.Xr bascule-backend 8
reads this file on every real server that needs it.
It is written in TOML
.Pq Lk https://toml.io .
.Pp
A server needs it when its VIP is to be put on
.Li lo
and kept silent on ARP for it, when packets come in a tunnel
.Pf ( Li ipip
or
.Li gue
of the balancer's service), or when its port is not the service's.
.Pp
After an edit,
.Ql bascule-backend check
reports every error as
.Ar file : Ns Ar line : Ns Ar column : message
and changes nothing, and
.Ql systemctl reload bascule-backend
applies the file whole, or refuses it whole and says so in the log.
.Ql bascule-backend self-test
then says whether this server does what its balancers count on.
.Sh TABLES
)";

constexpr std::string_view example = R"([server]
interfaces = ["eth0"]
balancers = ["192.0.2.11", "192.0.2.12"]

[[vip]]
address = "192.0.2.100"
forward = ["l2"]

[[vip]]
address = "192.0.2.101"
forward = ["ipip"]

[[vip.port]]
service = 80
server = 8080
)";

constexpr std::string_view files = R"(.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/bascule/backend.toml
The configuration.
.It Pa /run/bascule-backend/applied.toml
The configuration as it was applied last.
.It Pa /etc/bascule/examples/backend/*.toml
Examples; no program reads them.
.El
)";

constexpr std::string_view closing = R"(.Pp
More, each with its comments, are in
.Pa /etc/bascule/examples/backend .
.Sh SEE ALSO
.Xr bascule.toml 5 ,
.Xr bascule-backend 8
.Sh SECURITY CONSIDERATIONS
A tunnel's outer source is an address, and an address can be forged.
Whoever can send packets to this server with an address out of
.Cm balancers
can hand it packets that seem to come from any client.
So the network must not let such sources in from outside, and
.Cm balancers
should be as narrow as it can be.
)";

}  // namespace

std::string config_reference() {
    std::string text;
    for (const model::TableSchema* table : config_schema())
        text += model::reference_section(*table);
    return text;
}

std::string_view config_man_example() {
    return example;
}

std::string config_man_page() {
    std::string text = model::man_head("bascule-backend.toml") + std::string(opening);
    for (const model::TableSchema* table : config_schema())
        text += model::man_section(*table);
    text += std::string(files) +
            ".Sh EXAMPLES\nOne VIP as it comes, and one in a tunnel, on a port of its own:\n" +
            model::man_literal(example);
    return text + std::string(closing);
}

}  // namespace bascule::backend
