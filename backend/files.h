// SPDX-License-Identifier: Apache-2.0
// Small files: read whole, replaced whole. And settings of the kernel below /proc/sys.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/descriptor.h"
#include "base/result.h"

namespace bascule::backend {

// Nothing when there is no such file. At most 1 MiB.
Result<std::optional<std::string>> read_file(const std::string& path);
// By way of a file beside it, so that a reader sees the old text or the new; on the disk when it
// returns. `mode` as for chmod.
Result<void> write_file(const std::string& path, const std::string& text, mode_t mode);
// No error when there is none.
Result<void> remove_file(const std::string& path);
// With its parents.
Result<void> make_directory(const std::string& path);

// `path` as "net/ipv4/conf/all/arp_ignore", of the network namespace of the caller.
Result<std::string> read_sysctl(const std::string& path);
Result<void> write_sysctl(const std::string& path, const std::string& value);

// What the process that holds the lock says of itself.
struct Holder {
    pid_t process = 0;
    std::uint64_t applied = 0;   // configurations put in place; 0: still starting
    std::uint64_t refused = 0;   // reloads refused
    std::uint64_t put_back = 0;  // VIPs that somebody else had taken off this host
};

// A lock that lives as long as its holder: nothing when another process has it.
Result<std::optional<Descriptor>> take_lock(const std::string& path);
// By the holder.
Result<void> write_holder(int lock, const Holder& holder);
// Nothing when nobody holds it.
std::optional<Holder> lock_holder(const std::string& path);

}  // namespace bascule::backend
