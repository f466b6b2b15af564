// SPDX-License-Identifier: Apache-2.0
// Files that their owner alone may read, and that are never found half written. Errors name the
// file.
//
// Thread: the main one.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace bascule::cli {

// Makes it, mode 0600; one that is there is left as it is, and that is an error.
Result<void> create_secret_file(const std::string& path, std::string_view text);

// Writes another one in its place, of the same owner; behind a symbolic link, what that names.
Result<void> replace_secret_file(const std::string& path, std::string_view text);

}  // namespace bascule::cli
