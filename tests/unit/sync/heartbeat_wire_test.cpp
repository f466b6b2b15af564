// SPDX-License-Identifier: Apache-2.0
// Frames on a real link: a veth pair in a network namespace of the test's own.
#include "sync/heartbeat_wire.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "model/vip_id.h"
#include "sync/heartbeat_socket.h"
#include "tests/support/no_name_ioctls.h"

namespace bascule::sync {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t in_an_interval = 512;  // that are read

Mac mac(std::uint8_t last) {
    return {{0x02, 0, 0, 0, 0, last}};
}

Bytes frame(std::uint8_t fill = 7, std::size_t size = 200) {
    Bytes made(size, fill);
    constexpr std::array<std::uint8_t, 4> magic{'B', 'S', 'C', 1};
    std::copy(magic.begin(), magic.end(), made.begin());
    return made;
}

// The namespace is the thread's: it ends with it, and with the test.
class WireTest : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a network namespace";
    }
    template <typename Body>
    void on_link(Body body) {
        std::thread([&] {
            ASSERT_EQ(::unshare(CLONE_NEWNET), 0);
            ASSERT_EQ(std::system("ip link add one address 02:00:00:00:00:01 type veth peer name "
                                  "two address 02:00:00:00:00:02 && ip link set one up && "
                                  "ip link set two up"),
                      0);
            wait_for_links();
            here_ = {static_cast<int>(::if_nametoindex("one")), mac(1)};
            there_ = {static_cast<int>(::if_nametoindex("two")), mac(2)};
            body();
        }).join();
    }
    // Before its carrier is seen a link drops what it is to send.
    static void wait_for_links() {
        ASSERT_EQ(std::system("for i in $(seq 200); do "
                              "ip -o link show type veth | grep -qv 'state UP' || exit 0; "
                              "sleep 0.02; done; exit 1"),
                  0);
    }
    // What comes within a while, at most so many.
    void read(HeartbeatWire& wire, std::size_t count = 1, std::chrono::milliseconds wait = 2s) {
        const auto end = std::chrono::steady_clock::now() + wait;
        const std::size_t before = heard_.size();
        while (heard_.size() - before < count && std::chrono::steady_clock::now() < end) {
            pollfd ready{wire.readable(), POLLIN, 0};
            const bool any = ::poll(&ready, 1, 20) > 0;
            wire.read(
                batch_,
                [this](const WirePlace& from, auto bytes) {
                    from_ = from;
                    heard_.emplace_back(bytes.begin(), bytes.end());
                },
                any);
        }
    }

    WirePlace here_, there_, from_;
    DatagramBatch batch_;
    std::vector<Bytes> heard_;
};

TEST_F(WireTest, AFrameComesAsItWasSentAndTellsFromWhere) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        wire.set_links({"one", "two"});
        EXPECT_EQ(wire.readable(), -1) << "closed";
        EXPECT_FALSE(wire.send({here_.ifindex, mac(2)}, frame()));
        wire.look_after();
        ASSERT_TRUE(wire.send({here_.ifindex, mac(2)}, frame()));
        read(wire);
        ASSERT_EQ(heard_.size(), 1U);
        EXPECT_EQ(heard_[0], frame());
        EXPECT_EQ(from_, (WirePlace{there_.ifindex, mac(1)})) << "it came in by the far end";
        // And back.
        ASSERT_TRUE(wire.send(from_, frame(9)));
        read(wire);
        ASSERT_EQ(heard_.size(), 2U);
        EXPECT_EQ(from_, (WirePlace{here_.ifindex, mac(2)}));
        EXPECT_TRUE(wire.state().problem.empty());
        EXPECT_EQ(wire.state().sent, 2U);
        EXPECT_EQ(wire.state().received, 2U);
    });
}

TEST_F(WireTest, WhatIsNotOursDoesNotWakeAnybody) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        wire.set_links({"one", "two"});
        wire.look_after();
        Bytes other = frame();
        other[3] = 2;
        wire.send({here_.ifindex, mac(2)}, other);
        wire.send({here_.ifindex, mac(2)}, Bytes(3, 'B'));
        wire.send({here_.ifindex, mac(9)}, frame());                                  // another's
        wire.send({here_.ifindex, {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}}, frame());  // everybody's
        wire.send({here_.ifindex, mac(2)}, frame(3, 1400));
        read(wire);
        ASSERT_EQ(heard_.size(), 1U);
        EXPECT_EQ(heard_[0].size(), most_datagram + 1) << "too long, and cut: it will not open";
    });
}

TEST_F(WireTest, OnlyLinksOfVipsAreHeard) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        wire.look_after();
        const WirePlace to_two{here_.ifindex, mac(2)};
        const auto heard_after_one = [&] {
            wire.send(to_two, frame());
            read(wire, 1, 200ms);
            return heard_.size();
        };
        EXPECT_EQ(heard_after_one(), 0U) << "none is told yet";
        wire.set_links({"one", "not-there", "a-name-that-is-too-long"});
        EXPECT_EQ(heard_after_one(), 0U) << "it comes by the far end";
        wire.set_links({"one", "not-there", "two", "two"});
        EXPECT_EQ(heard_after_one(), 1U);
        wire.set_links({});
        EXPECT_EQ(heard_after_one(), 1U);
        EXPECT_EQ(wire.state().received, 1U);
        EXPECT_EQ(wire.state().dropped, 0U) << "nobody is woken by the others";
    });
}

TEST_F(WireTest, WhatWaitsFromALinkThatIsNoVipsAnyMoreIsDropped) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        wire.look_after();
        wire.set_links({"two"});
        ASSERT_TRUE(wire.send({here_.ifindex, mac(2)}, frame()));
        pollfd ready{wire.readable(), POLLIN, 0};
        ASSERT_EQ(::poll(&ready, 1, 2000), 1);
        wire.set_links({});
        read(wire, 1, 200ms);
        EXPECT_TRUE(heard_.empty());
        EXPECT_EQ(wire.state().received, 0U);
        EXPECT_EQ(wire.state().dropped, 1U);
    });
}

TEST_F(WireTest, AllLinksThatVipsCanBeOnAreHeard) {
    on_link([this] {
        std::vector<std::string> names;
        std::string commands;
        for (std::size_t i = 1; i < model::most_vips; ++i) {
            names.push_back("more" + std::to_string(i));
            if (i % 2 != 0)
                commands += "link add " + names.back() + " type veth peer name more" +
                            std::to_string(i + 1) + "\n";
        }
        ASSERT_EQ(std::system(("printf '" + commands + "' | ip -batch -").c_str()), 0);
        names.emplace_back("two");
        HeartbeatWire wire(20ms);
        wire.look_after();
        wire.set_links(names);
        EXPECT_EQ(wire.state().problem, "");
        ASSERT_TRUE(wire.send({here_.ifindex, mac(2)}, frame()));
        read(wire);
        EXPECT_EQ(heard_.size(), 1U);
    });
}

// It is the heartbeat thread that looks for links, each second.
TEST_F(WireTest, LinksAreFoundWithoutAnIoctl) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        test::forbid_name_ioctls();
        wire.look_after();
        wire.set_links({"not-there", "two"});
        ASSERT_TRUE(wire.send({here_.ifindex, mac(2)}, frame()));
        read(wire);
        EXPECT_EQ(heard_.size(), 1U);
    });
}

TEST_F(WireTest, ALinkIsKnownByItsName) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        wire.look_after();
        wire.set_links({"two"});
        ASSERT_EQ(std::system("ip link set two down && ip link set two name three && "
                              "ip link set three up"),
                  0);
        wait_for_links();
        wire.look_after();
        wire.send({here_.ifindex, mac(2)}, frame());
        read(wire, 1, 200ms);
        EXPECT_TRUE(heard_.empty()) << "it is another one now";
        // Made anew, with another index.
        ASSERT_EQ(std::system("ip link del one && ip link add one type veth peer name two "
                              "address 02:00:00:00:00:02 && ip link set one up && "
                              "ip link set two up"),
                  0);
        wait_for_links();
        ASSERT_NE(static_cast<int>(::if_nametoindex("two")), there_.ifindex);
        wire.look_after();
        ASSERT_TRUE(wire.send({static_cast<int>(::if_nametoindex("one")), mac(2)}, frame()));
        read(wire);
        EXPECT_EQ(heard_.size(), 1U);
    });
}

// A VIP's interface is asked on and heard on, not what it is made of.
TEST_F(WireTest, OfABridgeTheFramesComeByTheBridge) {
    on_link([this] {
        ASSERT_EQ(std::system("ip link add up0 address 02:00:00:00:00:02 type bridge && "
                              "ip link set two master up0 && ip link set up0 up"),
                  0);
        const int bridge = static_cast<int>(::if_nametoindex("up0"));
        HeartbeatWire wire(20ms);
        wire.look_after();
        wire.set_links({"up0", "two"});
        ASSERT_TRUE(wire.send({here_.ifindex, mac(2)}, frame()));
        read(wire, 2, 500ms);
        ASSERT_EQ(heard_.size(), 1U) << "by its part it does not come as well";
        EXPECT_EQ(from_, (WirePlace{bridge, mac(1)}));
        wire.set_links({"one"});
        ASSERT_TRUE(wire.send({bridge, mac(1)}, frame()));
        read(wire);
        EXPECT_EQ(heard_.size(), 2U);
    });
}

TEST_F(WireTest, OfABondAndOfAVlanTheFramesComeByTheUpperOne) {
    on_link([this] {
        if (std::system("ip link set two down && ip link add up0 address 02:00:00:00:00:02 "
                        "type bond mode active-backup && ip link set two master up0 && "
                        "ip link set up0 up && ip link add link up0 name up0.7 type vlan id 7 && "
                        "ip link set up0.7 up && ip link add link one name one.7 type vlan id 7 && "
                        "ip link set one.7 up") != 0)
            GTEST_SKIP() << "this kernel has no bonds or VLANs";
        wait_for_links();
        const auto index = [](const char* name) {
            return static_cast<int>(::if_nametoindex(name));
        };
        HeartbeatWire wire(20ms);
        wire.look_after();
        wire.set_links({"up0"});
        ASSERT_TRUE(wire.send({index("one"), mac(2)}, frame()));
        ASSERT_TRUE(wire.send({index("one.7"), mac(2)}, frame()));
        read(wire, 2, 500ms);
        ASSERT_EQ(heard_.size(), 1U);
        EXPECT_EQ(from_, (WirePlace{index("up0"), mac(1)}));
        wire.set_links({"up0.7"});
        ASSERT_TRUE(wire.send({index("one"), mac(2)}, frame()));
        ASSERT_TRUE(wire.send({index("one.7"), mac(2)}, frame()));
        read(wire, 2, 500ms);
        ASSERT_EQ(heard_.size(), 2U);
        EXPECT_EQ(from_, (WirePlace{index("up0.7"), mac(1)}));
        // What answers goes back by it, with its tag.
        wire.set_links({"one.7"});
        ASSERT_TRUE(wire.send({index("up0.7"), mac(1)}, frame()));
        read(wire);
        EXPECT_EQ(heard_.size(), 3U);
        EXPECT_EQ(from_, (WirePlace{index("one.7"), mac(2)}));
    });
}

TEST_F(WireTest, AFloodIsReadInTurns) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        wire.set_links({"one", "two"});
        wire.look_after();
        for (std::size_t i = 0; i < 5 * in_an_interval; ++i)
            wire.send({here_.ifindex, mac(2)}, frame());
        read(wire, 10 * in_an_interval);
        EXPECT_EQ(heard_.size(), in_an_interval);
        EXPECT_EQ(wire.readable(), -1) << "not polled before the next interval";
        wire.refill();
        read(wire, 10 * in_an_interval);
        EXPECT_EQ(heard_.size(), 2 * in_an_interval);
        EXPECT_GT(wire.state().dropped + wire.state().received, in_an_interval);
    });
}

// Frames of other links would take up the room, and the turn, of those that are waited for.
TEST_F(WireTest, AFloodOnAnotherLinkDoesNotStopReading) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        wire.look_after();
        wire.set_links({"one"});
        for (std::size_t i = 0; i < 5 * in_an_interval; ++i)
            wire.send({here_.ifindex, mac(2)}, frame());
        ASSERT_TRUE(wire.send({there_.ifindex, mac(1)}, frame(9)));
        read(wire);
        ASSERT_EQ(heard_.size(), 1U) << "in the same interval";
        EXPECT_EQ(heard_[0], frame(9));
        EXPECT_EQ(wire.state().dropped, 0U);
    });
}

TEST_F(WireTest, ALinkThatIsDownOrGoneIsAnErrorThatIsCounted) {
    on_link([this] {
        HeartbeatWire wire(20ms);
        wire.set_links({"one", "two"});
        wire.look_after();
        ASSERT_EQ(std::system("ip link set one down"), 0);
        EXPECT_FALSE(wire.send({here_.ifindex, mac(2)}, frame()));
        ASSERT_EQ(std::system("ip link del one"), 0);
        EXPECT_FALSE(wire.send({here_.ifindex, mac(2)}, frame()));
        EXPECT_EQ(wire.state().send_errors, 2U);
        wire.look_after();
        read(wire);
        EXPECT_TRUE(heard_.empty());
    });
}

}  // namespace
}  // namespace bascule::sync
