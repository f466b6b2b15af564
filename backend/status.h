// SPDX-License-Identifier: Apache-2.0
// How this server stands: what is wanted, by the record and the configuration, against what the
// kernel really has. Needs no running process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/companion.h"
#include "backend/files.h"
#include "base/result.h"

namespace bascule::backend {

struct VipStatus {
    Vip vip;
    std::string interface;  // where the address is; empty: nowhere
    bool ours = false;      // this program put it there
};

struct InterfaceStatus {
    std::string name;
    bool wants_xdp = false;
    bool has_xdp = false;
    bool generic = false;
    bool wants_filter = false;
    bool has_filter = false;
    std::string warning;
};

struct Status {
    std::optional<Holder> process;
    bool active = false;  // something of ours is on this host
    std::string config_file;
    std::vector<VipStatus> vips;
    std::vector<InterfaceStatus> interfaces;
    std::vector<std::pair<std::string, std::string>> sysctls;  // path, value, as they are now
    std::vector<std::uint64_t> counters;                       // by counter_infos()
    std::vector<std::string> problems;                         // what is not as it should be
};

// `config`: as it is in the file now.
Result<Status> look(const Options& options, const Config& config);

std::string status_json(const Status& status);
std::string status_text(const Status& status);

}  // namespace bascule::backend
