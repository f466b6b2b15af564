// SPDX-License-Identifier: Apache-2.0
// How this server stands: what is wanted, by the record and the configuration that is applied,
// against what the kernel really has. Needs no running process.
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
    std::vector<std::string> interfaces;  // where the address is, lo first
    bool ours = false;                    // this program put it on lo
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
    std::vector<std::string> notes;                            // what is well, and worth a word
};

struct Applied {
    Config config;
    std::string note;  // when the file is another one by now; empty: it is not
};

// What was applied last and not undone since, by the copy that was kept of it. Nothing: there is
// none, or none that this version reads; the file then has to do.
Result<std::optional<Applied>> load_applied(const Options& options);
// How the file on the disk stands to what is applied, in a line; empty: the same. Pure. `text`:
// nothing when there is no file.
std::string compare_file(const std::string& file, const std::optional<std::string>& text,
                         const Config& applied);

Result<Status> look(const Options& options, const Applied& applied);

std::string status_json(const Status& status);
std::string status_text(const Status& status);

}  // namespace bascule::backend
