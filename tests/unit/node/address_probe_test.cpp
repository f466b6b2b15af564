// SPDX-License-Identifier: Apache-2.0
#include "node/address_probe.h"

#include "node/vip.h"
#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using testing::ip;

class AddressProbe : public testing::Namespaces {
protected:
    using Answer = Result<std::optional<Mac>>;

    Answer probe(const Address& address) {
        DuplicateProbe probe(io_);
        std::optional<Answer> answer;
        probe.start(link(), address, [&](Answer got) { answer = std::move(got); });
        EXPECT_FALSE(answer) << "called from inside start()";
        EXPECT_TRUE(run_until([&] { return answer.has_value(); }));
        return *answer;
    }

    const std::optional<Mac> nobody_;
    const std::optional<Mac> other_ = Mac::parse(mac_there);
};

TEST_F(AddressProbe, NobodyAnswersForAFreeAddress) {
    EXPECT_EQ(probe(ip("10.9.0.100")).value(), nobody_);
    EXPECT_EQ(probe(ip("2001:db8::100")).value(), nobody_);
}

TEST_F(AddressProbe, TheHolderAnswersWithItsMac) {
    EXPECT_EQ(probe(ip("10.9.0.2")).value(), other_);
    EXPECT_EQ(probe(ip("2001:db8::2")).value(), other_);
}

// What comes back with our own MAC address is our own probe, sent back by a switch.
TEST_F(AddressProbe, ItsOwnMacIsNoConflict) {
    there([] { run("ip link set eth1 address " + std::string(mac_here)); });
    EXPECT_EQ(probe(ip("10.9.0.2")).value(), nobody_);
    EXPECT_EQ(probe(ip("2001:db8::2")).value(), nobody_);
}

TEST_F(AddressProbe, SeveralAtATimeAreNotMixedUp) {
    DuplicateProbe probe(io_);
    std::map<Address, std::optional<Mac>> answers;
    const std::vector<Address> asked{ip("10.9.0.2"), ip("10.9.0.100"), ip("2001:db8::2"),
                                     ip("2001:db8::100")};
    const Link on = link();
    for (const Address& address : asked) {
        probe.start(on, address, [&answers, address](Answer got) {
            EXPECT_FALSE(answers.contains(address)) << "called twice";
            answers[address] = got.value();
        });
    }
    ASSERT_TRUE(run_until([&] { return answers.size() == asked.size(); }));
    EXPECT_EQ(
        answers,
        (std::map<Address, std::optional<Mac>>{
            {asked[0], other_}, {asked[1], nobody_}, {asked[2], other_}, {asked[3], nobody_}}));
    run_for(std::chrono::milliseconds(100));
}

// Two nodes that want it at the same time: the one that was first sees the other one's probe, and
// ends; the other one may have come too late to hear of the first.
TEST_F(AddressProbe, AnotherProberIsAConflict) {
    for (const Address& address : {ip("10.9.0.100"), ip("2001:db8::100")}) {
        DuplicateProbe here(io_);
        DuplicateProbe elsewhere(io_);
        std::optional<Answer> answer;
        here.start(link(), address, [&](Answer got) { answer = std::move(got); });
        there([&] {
            auto requests = NetlinkRequests::open();
            elsewhere.start(find_link(*requests, "eth1").value(), address, [](const Answer&) {});
        });
        ASSERT_TRUE(run_until([&] { return answer.has_value(); }));
        EXPECT_EQ(answer->value(), other_);
    }
}

// The probe must not teach the other host an address that may never come.
TEST_F(AddressProbe, AProbeLeavesNoTrace) {
    EXPECT_TRUE(probe(ip("10.9.0.100")));
    EXPECT_TRUE(probe(ip("2001:db8::100")));
    there([] {
        EXPECT_EQ(output("ip neigh show 10.9.0.100"), "");
        EXPECT_EQ(output("ip neigh show 2001:db8::100"), "");
    });
}

TEST_F(AddressProbe, WithoutALinkItIsAnErrorWithItsPlace) {
    there([] { run("ip link set eth1 down"); });
    ASSERT_TRUE(run_until([&] { return !link().carrier; }));
    EXPECT_EQ(probe(ip("10.9.0.100")).error().text(), "probe 10.9.0.100 on eth0: the link is down");
    EXPECT_EQ(AddressAnnouncer().announce(link(), ip("10.9.0.100")).error().text(),
              "announce 10.9.0.100 on eth0: the link is down");
    const Link loopback = find_link(*requests_, "lo").value();
    EXPECT_EQ(AddressAnnouncer().announce(loopback, ip("10.9.0.100")).error().text(),
              "announce 10.9.0.100 on lo: is not an Ethernet interface");
}

TEST_F(AddressProbe, AnInterfaceThatVanishedMeanwhileIsAnError) {
    const Link gone = link();
    run("ip link del eth0");
    DuplicateProbe probe(io_);
    std::optional<Answer> answer;
    probe.start(gone, ip("2001:db8::100"), [&](Answer got) { answer = std::move(got); });
    ASSERT_TRUE(run_until([&] { return answer.has_value(); }));
    EXPECT_FALSE(*answer);
}

TEST_F(AddressProbe, DestroyedItIsSilent) {
    bool called = false;
    {
        DuplicateProbe probe(io_);
        probe.start(link(), ip("10.9.0.2"), [&](const Answer&) { called = true; });
        Link down = link();
        down.carrier = false;
        probe.start(down, ip("10.9.0.2"), [&](const Answer&) { called = true; });
    }
    run_for(std::chrono::milliseconds(300));
    EXPECT_FALSE(called);
}

TEST_F(AddressProbe, AnAnnouncementMovesTheAddress) {
    auto vips = VipAddresses::open(io_, [](const VipLost&) {}).value();
    for (const Address& vip : {ip("10.9.0.100"), ip("2001:db8::100")}) {
        // The other host believes that somebody else has it.
        there([&] {
            run("ip neigh replace " + vip.to_string() +
                " lladdr 02:00:00:00:00:99 nud stale dev eth1");
        });
        ASSERT_TRUE(vips->add(vip, "eth0"));
        const auto done = AddressAnnouncer().announce(link(), vip);
        ASSERT_TRUE(done) << done.error().text();
        bool moved = false;
        ASSERT_TRUE(run_until([&] {
            there([&] {
                moved =
                    output("ip neigh show " + vip.to_string()).find(mac_here) != std::string::npos;
            });
            return moved;
        })) << vip.to_string();
    }
}

}  // namespace
}  // namespace bascule::node
