// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace bascule {
namespace {

TEST(Error, EachLayerAddsItsNoun) {
    Error error = Error::system("eth9", ENODEV);
    EXPECT_EQ(error.text(), "eth9: No such device");
    EXPECT_EQ(std::move(error).within("attach").text(), "attach: eth9: No such device");
}

Result<int> half(int n) {
    if (n % 2 != 0) return failure("odd");
    return n / 2;
}

TEST(Result, IsAValueOrAnError) {
    EXPECT_EQ(half(4).value(), 2);
    ASSERT_FALSE(half(3));
    EXPECT_EQ(half(3).error().text(), "odd");
}

}  // namespace
}  // namespace bascule
