// SPDX-License-Identifier: Apache-2.0
// Gathers what `bascule doctor` judges, from the system and, where it runs, from the daemon. It
// changes nothing. Thread: control, or the one thread of a process that does nothing else.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/daemon.h"
#include "node/doctor_looks.h"
#include "node/netlink.h"

namespace bascule::node {

// nullptr: none answers; the system is then asked for all that it knows.
using DaemonOrNone = const Daemon*;

// `parsed`: what stands in the files now.
NodeLook look_at_node(const Options& options, DaemonOrNone daemon, const LoadedConfig& files,
                      const std::optional<model::Config>& config);
KernelLook look_at_kernel(const Options& options, DaemonOrNone daemon);
// Of a backend's address; nullopt: the kernel has not said anything of it in time.
using NeighbourOf = std::function<std::optional<NeighbourState>(const Address&)>;
// VIPs are not asked for.
InterfacesLook look_at_interfaces(const Options& options, DaemonOrNone daemon,
                                  const model::Config& config, const NeighbourOf& state_of,
                                  NetlinkRequests& requests);
std::vector<WayLook> look_at_ways(const model::Config& config, const NeighbourOf& state_of,
                                  NetlinkRequests& requests);
ClusterLook look_at_cluster(DaemonOrNone daemon, const model::Config& config,
                            NetlinkRequests& requests);

// All that this host has, and the index of the interface that each is on.
Result<std::map<Address, std::uint32_t>> local_addresses(NetlinkRequests& requests);

// Interrupts of a NIC. Error: no hardware, or what cannot be read. `proc`, `sys`: where those file
// systems are.
Result<std::vector<Interrupt>> interrupts_of(const Link& link, const std::string& proc = "/proc",
                                             const std::string& sys = "/sys");
// "0-3,8" as numbers; nullopt: it is none. At most 4096.
std::optional<std::set<unsigned>> parse_cpu_list(std::string_view text);

// The first line of a small file of /proc or /sys, without its end. Errors name the file.
Result<std::string> read_line(const std::string& path);
Result<long> read_number(const std::string& path);

}  // namespace bascule::node
