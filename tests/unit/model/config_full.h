// SPDX-License-Identifier: Apache-2.0
// A configuration with every table.
#pragma once

#include <string>

namespace bascule::model::testing {

// Every key that exists, but for those of checks, of which config_health_test.cpp has more.
inline const std::string full_text = R"([node]
name = "lb1"
interfaces = ["eth0", "eth1"]
xdp_mode = "native"
max_sessions = 200_000
max_sessions_v6 = 100_000
tunnel_source_v4 = "198.18.0.0/16"
tunnel_source_v6 = "2001:db8:f::1"
probe_network_v4 = "241.0.0.0/10"
probe_network_v6 = "fd00:1::/96"

[cluster]
name = "edge"
key_file = "/etc/bascule/edge.key"
heartbeat_interval = "50ms"
dead_after = 4
failback = "never"
failback_delay = "1m"
witness = ["10.9.0.1", "2001:db8::1"]
[[cluster.node]]
name = "lb1"
addresses = ["10.9.0.11:7401", "[fd00::11]:7402", "172.31.0.1"]
priority = 150
[[cluster.node]]
name = "lb2"
addresses = ["10.9.0.12", "fd00::12", "172.31.0.2:7403"]

[defaults]
forward = "ipip"
gue_port = 6081
copy_dscp = false
mss_clamp = 1400

[[vip]]
address = "10.9.0.100/24"
interface = "eth0"
announce = "l2"
[[vip]]
address = "2001:db8::100"
interface = "eth0.7"
priority = { lb1 = 50, lb2 = 200 }

[[service]]
name = "web"
quorum = 2
give_up_vip = true
vip = "10.9.0.100"
port = 80
protocol = "tcp"
forward = "gue"
gue_port = 6082
copy_dscp = true
mss_clamp = 1360
affinity = "source"
unknown = "drop"
on_empty = "reset"
ring_size = 307
[service.session]
tcp_embryonic = "10s"
tcp_established = "5d"
tcp_closing = "2m"
[service.health]
type = "tcp"
interval = "2s"
[[service.backend]]
name = "web1"
address = "10.9.0.21"
port = 8080
weight = 50
backup = true
check_address = "10.8.0.21"
check_port = 8081
[[service.backend]]
address = "10.9.0.22"
[[service.backend]]
address = "2001:db8::22"
port = 8081

[[service]]
name = "dns"
vip = "2001:db8:0::100"
port = 53
protocol = "udp"
session.udp_embryonic = "5s"
session.udp_established = "60000ms"
[[service.backend]]
address = "2001:db8::21"
weight = 0

[[service]]
name = "all"
vip = "10.9.0.100"
port = "any"
forward = "l2"
[[service.backend]]
address = "10.9.0.21"

[[service]]
name = "some"
vip = "10.9.0.100"
port = "8000-8099"
forward = "local"
mss_clamp = 0
[[service.backend]]

[hook]
command = ["/usr/bin/logger", "-t", "lb"]
user = "root"
timeout = "2s"

[log]
level = "debug"

[http]
listen = "[fd00::11]:9401"
)";

}  // namespace bascule::model::testing
