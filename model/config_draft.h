// SPDX-License-Identifier: Apache-2.0
// The configuration as it was written: every value with its place, those that cannot be read
// missing. What the checks across keys work on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config_reader.h"

namespace bascule::model {

struct BackendDraft {
    Place place;
    Placed<std::string> name;
    Placed<Address> address;
    Placed<std::int64_t> port;
    Placed<std::int64_t> weight;
};

struct ServiceDraft {
    Place place;
    Placed<std::string> name;
    Placed<Address> vip;
    Placed<std::int64_t> port;
    Placed<std::string_view> protocol;
    Placed<std::string_view> affinity;
    Placed<std::string_view> unknown;
    Placed<std::int64_t> ring_size;
    // [0] embryonic, [1] established; TCP has closing too.
    Placed<std::int64_t> tcp_limits[3];
    Placed<std::int64_t> udp_limits[2];
    std::vector<BackendDraft> backends;
};

struct VipDraft {
    Place place;
    Placed<Address> address;
    Placed<std::string> interface;
};

struct Draft {
    Placed<std::string> name;
    std::vector<Placed<std::string>> interfaces;
    Placed<std::string_view> xdp_mode;
    Placed<std::int64_t> max_sessions;
    Placed<std::int64_t> max_sessions_v6;
    std::vector<VipDraft> vips;
    std::vector<ServiceDraft> services;
    Placed<std::string_view> level;
    bool whole = true;  // false: a part is hidden by a syntax error
};

// Everything that no key can tell alone: references, duplicates, limits of the data plane.
void check(const Draft& draft, Diagnostics& diagnostics);

}  // namespace bascule::model
