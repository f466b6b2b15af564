// SPDX-License-Identifier: Apache-2.0
#include "sync/nonces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace bascule::sync {
namespace {

std::uint32_t count_of(const GcmNonce& nonce) {
    return std::uint32_t{nonce[8]} << 24 | std::uint32_t{nonce[9]} << 16 |
           std::uint32_t{nonce[10]} << 8 | nonce[11];
}

bool same_salt(const GcmNonce& one, const GcmNonce& other) {
    return std::equal(one.begin(), one.begin() + 8, other.begin());
}

TEST(Nonces, Count) {
    Nonces nonces;
    const GcmNonce first = nonces.next();
    const GcmNonce second = nonces.next();
    EXPECT_EQ(count_of(first), 0u);
    EXPECT_EQ(count_of(second), 1u);
    EXPECT_TRUE(same_salt(first, second));
}

TEST(Nonces, EachRunHasAnotherSalt) {
    std::set<GcmNonce> seen;
    for (int run = 0; run < 1000; ++run)
        seen.insert(Nonces().next());
    EXPECT_EQ(seen.size(), 1000u);
}

TEST(Nonces, AnotherSaltWhenTheCountIsUsedUp) {
    Nonces nonces(0xfffffffe);
    const GcmNonce before = nonces.next();
    const GcmNonce last = nonces.next();
    const GcmNonce after = nonces.next();
    EXPECT_EQ(count_of(last), 0xffffffffu);
    EXPECT_TRUE(same_salt(before, last));
    EXPECT_EQ(count_of(after), 0u);
    EXPECT_FALSE(same_salt(last, after));
}

}  // namespace
}  // namespace bascule::sync
