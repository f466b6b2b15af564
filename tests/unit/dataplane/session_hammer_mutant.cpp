// SPDX-License-Identifier: Apache-2.0
// The hammer over a copy of bpf/session_table.h whose reader does not look at version and key
// again: it has to find the fault, or the hammer is blind.
#include <cstdio>

#include "support/session_hammer.h"

int main() {
    using namespace std::chrono_literals;
    for (int i = 1; i <= 20; i++) {
        const bascule::test::HammerReport report =
            i % 2 == 1 ? bascule::test::hammer_v4(3s) : bascule::test::hammer_v6(3s);
        std::printf("try %d: %llu sessions checked, %llu mismatches %s\n", i,
                    static_cast<unsigned long long>(report.checked),
                    static_cast<unsigned long long>(report.mismatches),
                    report.first_mismatch.c_str());
        if (report.mismatches != 0) return 0;
    }
    std::printf("the hammer did not notice that the second look is missing\n");
    return 1;
}
