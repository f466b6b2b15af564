// SPDX-License-Identifier: Apache-2.0
// Prints docs/reference/doctor.md.
#include <cstdio>

#include "node/doctor_catalogue.h"

int main() {
    const std::string text = bascule::node::doctor_reference();
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
