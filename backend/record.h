// SPDX-License-Identifier: Apache-2.0
// What this program changed on its host, and how that was before: written down before each change,
// so that whatever ends the process, the next one can undo all of it or take it over.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace bascule::backend {

struct SysctlChange {
    std::string before;
    std::string now;

    bool operator==(const SysctlChange&) const = default;
};

struct HookedInterface {
    std::string name;
    std::uint32_t ifindex = 0;
    bool xdp = false;
    bool filter = false;
    bool clsact = false;  // the qdisc is ours
    std::string warning;

    bool operator==(const HookedInterface&) const = default;
};

struct Record {
    std::string config_file;                      // as it was read
    std::vector<Address> addresses;               // on lo, which were not there before
    std::map<std::string, SysctlChange> sysctls;  // by path below /proc/sys
    bool sysctl_file = false;                     // ours is there
    std::optional<std::string> sysctl_file_before;
    std::vector<HookedInterface> interfaces;

    bool empty() const {
        return addresses.empty() && sysctls.empty() && !sysctl_file && interfaces.empty();
    }
    HookedInterface* find(const std::string& interface);
    bool operator==(const Record&) const = default;
};

// Nothing when there is no such file; an error when it is not one of ours.
Result<std::optional<Record>> load_record(const std::string& path);
// Whole or not at all, on the disk when it returns.
Result<void> save_record(const std::string& path, const Record& record);
Result<void> remove_record(const std::string& path);

}  // namespace bascule::backend
