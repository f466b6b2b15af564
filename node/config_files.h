// SPDX-License-Identifier: Apache-2.0
// The configuration's files on disk: the main one and conf.d/*.toml beside it, in name order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"

namespace bascule::node {

struct LoadedConfig {
    model::ParsedConfig parsed;
    std::vector<std::string> files;  // in the order in which they were merged
    std::string hash;                // SHA-256 over names and texts, in hex
    std::uint64_t cluster_hash = 0;  // of what all nodes should have alike (config_hash)
};

// Reads, parses, and looks at the files and programs that it names. A file that cannot be read
// whole, is larger than 16 MiB or is no file comes as a diagnostic like what is wrong with a file's
// text.
LoadedConfig load_config(const std::string& main_file);
// The same without a look at the files and programs that it names.
LoadedConfig read_config(const std::string& main_file);

}  // namespace bascule::node
