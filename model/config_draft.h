// SPDX-License-Identifier: Apache-2.0
// The configuration as it was written: every value with its place, those that cannot be read
// missing. What the checks across keys work on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/config_cluster.h"
#include "model/config_health.h"
#include "model/config_reader.h"

namespace bascule::model {

struct BackendDraft {
    Place place;
    Placed<std::string> name;
    Placed<Address> address;
    Placed<std::int64_t> port;
    Placed<std::int64_t> weight;
    Placed<std::string_view> backup;
    Placed<Address> check_address;
    Placed<std::int64_t> check_port;
};

// What a service says, or [defaults] in its place.
struct ForwardDraft {
    Placed<std::string_view> forward;
    Placed<std::int64_t> gue_port;
    Placed<std::string_view> copy_dscp;
    Placed<std::int64_t> mss_clamp;
};

struct ServiceDraft {
    Place place;
    Placed<std::string> name;
    Placed<Address> vip;
    Placed<PortRange> ports;
    Placed<std::string_view> protocol;
    ForwardDraft forward;
    Placed<std::string_view> affinity;
    Placed<std::string_view> unknown;
    Placed<std::string_view> on_empty;
    Placed<std::int64_t> ring_size;
    // [0] embryonic, [1] established; TCP has closing too.
    Placed<std::int64_t> tcp_limits[3];
    Placed<std::int64_t> udp_limits[2];
    HealthDraft health;
    Placed<std::int64_t> quorum;
    Placed<std::string_view> give_up_vip;
    std::vector<BackendDraft> backends;
};

struct VipDraft {
    Place place;
    Placed<Address> address;
    Placed<std::string> interface;
    Placed<NamedIntegers> priority;
};

struct Draft {
    Placed<std::string> name;
    std::string host_name;  // the default of `name`
    std::vector<Placed<std::string>> interfaces;
    Placed<std::string_view> xdp_mode;
    Placed<std::int64_t> max_sessions;
    Placed<std::int64_t> max_sessions_v6;
    Placed<TunnelSource> tunnel_source_v4;
    Placed<TunnelSource> tunnel_source_v6;
    Placed<Address> probe_network_v4;
    Placed<Address> probe_network_v6;
    ForwardDraft defaults;
    std::optional<ClusterDraft> cluster;
    std::vector<VipDraft> vips;
    std::vector<ServiceDraft> services;
    Placed<std::string_view> level;
    ProgramDraft hook;
    Placed<std::int64_t> hook_timeout;
    std::optional<Placed<Endpoint>> listen;  // none: there is no [http]
    bool whole = true;                       // false: a part is hidden by a syntax error
};

// A backend without a name is shown by this one.
std::string default_name(const Address& address, const Placed<std::int64_t>& port);

// Everything that no key can tell alone: references, duplicates, limits of the data plane.
void check(const Draft& draft, Diagnostics& diagnostics);

}  // namespace bascule::model
