// SPDX-License-Identifier: Apache-2.0
#include "node/slots.h"

#include <gtest/gtest.h>

namespace bascule::node {
namespace {

TEST(Slots, AreFoundByKeyWithinTheirService) {
    const auto vip = Address::parse("10.9.0.100").value();
    const auto web1 = Address::parse("10.9.0.21").value();
    const model::ServiceKey http{vip, {80, 80}, model::Protocol::tcp};
    const model::ServiceKey dns{vip, {53, 53}, model::Protocol::udp};
    model::Tables tables;
    tables.services[0].key = http;
    tables.services[7].key = dns;
    tables.backends[1] = {0, {web1, 80}, 1, true, std::nullopt, {}};
    tables.backends[9] = {7, {web1, 80}, 1, true, std::nullopt, {}};
    const Slots slots(tables);
    EXPECT_EQ(slots.service(http), 0);
    EXPECT_EQ(slots.service(dns), 7);
    EXPECT_EQ(slots.service({vip, {53, 53}, model::Protocol::tcp}), std::nullopt);
    EXPECT_EQ(slots.backend(http, {web1, 80}), 1);
    EXPECT_EQ(slots.backend(dns, {web1, 80}), 9);
    EXPECT_EQ(slots.backend(dns, {web1, 81}), std::nullopt);
    EXPECT_EQ(slots.backend({vip, {443, 443}, model::Protocol::tcp}, {web1, 80}), std::nullopt);
}

}  // namespace
}  // namespace bascule::node
