// SPDX-License-Identifier: Apache-2.0
// Prints docs/reference/configuration.md.
#include <cstdio>

#include "model/config_schema.h"

int main() {
    const std::string text = bascule::model::config_reference();
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    return written && std::fflush(stdout) == 0 ? 0 : 1;
}
