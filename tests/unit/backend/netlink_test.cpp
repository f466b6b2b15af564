// SPDX-License-Identifier: Apache-2.0
// A kernel of a few prepared answers: dumps that fail on their way, and dumps that changes tear.
#include "backend/netlink.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace bascule::backend {
namespace {

class FakeKernel : public testing::Test {
protected:
    void SetUp() override {
        std::array<int, 2> ends{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
        kernel_.reset(ends[0]);
        netlink_.emplace(Descriptor(ends[1]));
    }

    void answer(std::uint16_t type, std::uint32_t sequence, std::uint16_t flags,
                const std::vector<std::uint8_t>& payload) {
        nlmsghdr header{};
        header.nlmsg_len = static_cast<std::uint32_t>(NLMSG_HDRLEN + payload.size());
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_MULTI | flags);
        header.nlmsg_seq = sequence;
        std::vector<std::uint8_t> bytes(NLMSG_HDRLEN);
        std::memcpy(bytes.data(), &header, sizeof header);
        bytes.insert(bytes.end(), payload.begin(), payload.end());
        ASSERT_EQ(::send(kernel_.get(), bytes.data(), bytes.size(), 0),
                  static_cast<ssize_t>(bytes.size()));
    }
    // 10.9.0.`last` on interface 1.
    void answer_address(std::uint32_t sequence, std::uint8_t last, std::uint16_t flags = 0) {
        ifaddrmsg fixed{};
        fixed.ifa_family = AF_INET;
        fixed.ifa_prefixlen = 32;
        fixed.ifa_index = 1;
        std::vector<std::uint8_t> payload(sizeof fixed);
        std::memcpy(payload.data(), &fixed, sizeof fixed);
        for (const int byte : {8, 0, int{IFA_LOCAL}, 0, 10, 9, 0, int{last}})
            payload.push_back(static_cast<std::uint8_t>(byte));
        answer(RTM_NEWADDR, sequence, flags, payload);
    }
    void answer_done(std::uint32_t sequence, std::int32_t error, std::uint16_t flags = 0) {
        std::vector<std::uint8_t> payload(sizeof error);
        std::memcpy(payload.data(), &error, sizeof error);
        answer(NLMSG_DONE, sequence, flags, payload);
    }

    Descriptor kernel_;
    std::optional<Netlink> netlink_;
};

TEST_F(FakeKernel, AWholeDumpIsTaken) {
    answer_address(1, 100);
    answer_address(1, 101);
    answer_done(1, 0);
    const auto addresses = netlink_->addresses();
    ASSERT_TRUE(addresses) << addresses.error().text();
    EXPECT_EQ(addresses->size(), 2U);
}

TEST_F(FakeKernel, ADumpThatEndsWithAnErrorIsNoShortAnswer) {
    answer_address(1, 100);
    answer_done(1, -ENOMEM);
    const auto addresses = netlink_->addresses();
    ASSERT_FALSE(addresses);
    EXPECT_NE(addresses.error().text().find("Cannot allocate memory"), std::string::npos)
        << addresses.error().text();
}

TEST_F(FakeKernel, ADoneWithoutItsErrorIsMalformed) {
    answer(NLMSG_DONE, 1, 0, {});
    EXPECT_FALSE(netlink_->addresses());
}

// What the torn one told may be gone.
TEST_F(FakeKernel, ATornDumpIsAskedForAgainAndForgotten) {
    answer_address(1, 100, NLM_F_DUMP_INTR);
    answer_done(1, 0);
    answer_address(2, 101);
    answer_done(2, 0);
    const auto addresses = netlink_->addresses();
    ASSERT_TRUE(addresses) << addresses.error().text();
    ASSERT_EQ(addresses->size(), 1U);
    EXPECT_EQ(addresses->front().address.to_string(), "10.9.0.101");
}

TEST_F(FakeKernel, TornAgainAndAgainIsAnError) {
    for (std::uint32_t sequence = 1; sequence <= 4; ++sequence)
        answer_done(sequence, 0, NLM_F_DUMP_INTR);
    const auto addresses = netlink_->addresses();
    ASSERT_FALSE(addresses);
    EXPECT_NE(addresses.error().text().find("changes too fast"), std::string::npos);
}

}  // namespace
}  // namespace bascule::backend
