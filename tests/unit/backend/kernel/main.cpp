// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "lab.h"

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    if (!bascule::test::enter_private_world()) return 1;
    return RUN_ALL_TESTS();
}
