// SPDX-License-Identifier: Apache-2.0
// One main for the tests that run packets through the engine. Without root, or where no bpffs can
// be mounted, they fail: a test that is skipped proves nothing.
#include <gtest/gtest.h>

#include "scene.h"
#include "world.h"

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    if (auto entered = bascule::test::enter_private_world(); !entered)
        return bascule::test::fail_without_private_world(entered.error());
    const int status = RUN_ALL_TESTS();
    bascule::test::Scene::close();
    return status;
}
