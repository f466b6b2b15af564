// SPDX-License-Identifier: Apache-2.0
#include "node/netlink.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using Netlink = testing::Namespaces;
using testing::ip;

NetlinkMessage permanent_neighbour(unsigned ifindex, const Mac& mac) {
    ndmsg info{};
    info.ndm_family = AF_INET;
    info.ndm_ifindex = static_cast<int>(ifindex);
    info.ndm_state = NUD_PERMANENT;
    NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
    message.fixed(info).attribute(NDA_DST, ip("10.9.0.50"));
    message.attribute(NDA_LLADDR, std::span<const std::uint8_t>(mac.bytes));
    return message;
}

TEST_F(Netlink, ARefusalCarriesErrnoAndTheKernelsWords) {
    ndmsg info{};
    info.ndm_family = AF_INET;
    info.ndm_ifindex = static_cast<int>(if_nametoindex("eth0"));
    NetlinkMessage message(RTM_NEWNEIGH, NLM_F_CREATE);
    message.fixed(info);  // no destination
    const auto done = requests_->change(message);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, EINVAL);
    EXPECT_EQ(done.error().text, "Invalid argument (Network address not specified)");
    // The socket is in step again.
    EXPECT_TRUE(find_link(*requests_, "eth0"));
}

TEST_F(Netlink, AnOverrunIsToldAfterTheLastEventBeforeIt) {
    int seen = 0;
    int overruns = 0;
    std::string last;
    auto events = NetlinkEvents::open(
        io_, {RTNLGRP_NEIGH},
        [&](const nlmsghdr& header) {
            ++seen;
            last = "event";
            EXPECT_EQ(header.nlmsg_type, RTM_NEWNEIGH);
        },
        [&] {
            ++overruns;
            last = "overrun";
        },
        4096);
    ASSERT_TRUE(events) << events.error().text();
    for (std::uint64_t i = 0; i < 500; ++i) {
        ASSERT_TRUE(requests_->change(permanent_neighbour(
            if_nametoindex("eth0"), Mac::from_word(0x0100'0000'0002 + (i << 8)))));
    }
    ASSERT_TRUE(run_until([&] { return overruns > 0; }));
    EXPECT_EQ(last, "overrun");
    EXPECT_GT(seen, 0);
    EXPECT_LT(seen, 500);
    // It goes on afterwards.
    seen = 0;
    ASSERT_TRUE(requests_->change(
        permanent_neighbour(if_nametoindex("eth0"), Mac::from_word(0x0200'0000'0002))));
    EXPECT_TRUE(run_until([&] { return seen > 0; }));
}

TEST_F(Netlink, EventsEndWithTheirOwner) {
    bool called = false;
    auto events = NetlinkEvents::open(
        io_, {RTNLGRP_NEIGH}, [&](const nlmsghdr&) { called = true; }, [] {});
    ASSERT_TRUE(events);
    ASSERT_TRUE(requests_->change(
        permanent_neighbour(if_nametoindex("eth0"), Mac::from_word(0x0200'0000'0002))));
    events->reset();
    run_for(std::chrono::milliseconds(100));
    EXPECT_FALSE(called);
}

}  // namespace
}  // namespace bascule::node
