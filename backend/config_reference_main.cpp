// SPDX-License-Identifier: Apache-2.0
// Prints the part of docs/reference/backend.md about keys, and with --man
// docs/man/bascule-backend.toml.5.
#include <cstdio>
#include <string_view>

#include "backend/config_schema.h"

int main(int argc, char** argv) {
    const bool is_man = argc == 2 && std::string_view(argv[1]) == "--man";
    if (argc > 1 && !is_man) {
        std::fputs("usage: backend_reference [--man]\n", stderr);
        return 2;
    }
    const std::string text =
        is_man ? bascule::backend::config_man_page() : bascule::backend::config_reference();
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    return written && std::fflush(stdout) == 0 ? 0 : 1;
}
