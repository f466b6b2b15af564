// SPDX-License-Identifier: Apache-2.0
// `bascule-backend run`: the process that makes a server ready, follows its host while it lives,
// and gives it back when it is told to stop.
#pragma once

#include "backend/companion.h"

namespace bascule::backend {

// Returns the exit code: 0 stopped as asked, 1 refused or failed.
int run_service(const Options& options);

struct LoadedConfig {
    Config config;
    std::string text;  // of the file
};

// The configuration with its errors told on stderr; nothing: there were some.
std::optional<LoadedConfig> load_config(const std::string& file);

}  // namespace bascule::backend
