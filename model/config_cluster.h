// SPDX-License-Identifier: Apache-2.0
// [cluster] as it was written, and from there to values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/config_reader.h"

namespace bascule::model {

struct ClusterNodeDraft {
    Place place;
    Placed<std::string> name;
    Placed<std::vector<Placed<Endpoint>>> addresses;
    Placed<std::int64_t> priority;
};

struct ClusterDraft {
    Place place;
    Placed<std::string> name;
    Placed<std::string> key_file;
    Placed<std::int64_t> heartbeat_interval;  // milliseconds
    Placed<std::int64_t> dead_after;
    Placed<std::string_view> failback;
    Placed<std::int64_t> failback_delay;  // milliseconds
    Placed<std::vector<Placed<Address>>> witness;
    std::vector<ClusterNodeDraft> nodes;
};

ClusterDraft read_cluster(SectionReader& reader);

// Only of a draft without errors.
ClusterConfig cluster_of(const ClusterDraft& draft, const Diagnostics& diagnostics);

}  // namespace bascule::model
