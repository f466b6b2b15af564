// SPDX-License-Identifier: Apache-2.0
#include "sync/session_record.h"

#include <gtest/gtest.h>

namespace bascule::sync {
namespace {

model::ServiceKey web() {
    return {*Address::parse("10.9.0.100"), {80, 80}, model::Protocol::tcp};
}

// Nodes of all releases have to make the same.
TEST(SessionRecord, IdsArePartOfTheProtocol) {
    EXPECT_EQ(service_id(web()), 0x542e874ca0314be9);
    EXPECT_EQ(target_id(web(), {*Address::parse("10.9.0.21"), 8080}), 0x93e2b3c4c4c299af);
}

TEST(SessionRecord, EveryPartOfAServiceCounts) {
    const ServiceId id = service_id(web());
    model::ServiceKey other = web();
    other.protocol = model::Protocol::udp;
    EXPECT_NE(service_id(other), id);
    other = web();
    other.ports = {80, 81};
    EXPECT_NE(service_id(other), id);
    other = web();
    other.vip = *Address::parse("10.9.0.101");
    EXPECT_NE(service_id(other), id);
}

TEST(SessionRecord, ATargetIsABackendOfOneService) {
    const model::BackendKey backend{*Address::parse("10.9.0.21"), 80};
    const TargetId id = target_id(web(), backend);
    model::ServiceKey other = web();
    other.ports = {81, 81};
    EXPECT_NE(target_id(other, backend), id);
    EXPECT_NE(target_id(web(), {backend.address, 81}), id);
    EXPECT_NE(target_id(web(), {*Address::parse("10.9.0.22"), 80}), id);
    EXPECT_NE(service_id(web()), id);
}

}  // namespace
}  // namespace bascule::sync
