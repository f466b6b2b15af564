// SPDX-License-Identifier: Apache-2.0
// Small files that must never be found half written.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::node {

// Nullopt: there is no such file. Fails on any other error, and above `most` bytes; the error does
// not name the path.
Result<std::optional<std::string>> read_small_file(const std::string& path, std::size_t most);

// Writes beside the file, flushes to disk, then renames over it: a reader, or a machine that lost
// its power, finds the old text or the new one.
Result<void> write_file_whole(const std::string& path, std::string_view text, mode_t mode);

// As mkdir -p.
Result<void> make_directory(const std::string& path);

}  // namespace bascule::node
