// SPDX-License-Identifier: Apache-2.0
// Prints docs/reference/metrics.md.
#include <cstdio>

#include "node/metric_schema.h"

int main() {
    const std::string text = bascule::node::metric_reference();
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
