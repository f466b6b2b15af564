// SPDX-License-Identifier: Apache-2.0
#include "node/links.h"

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

class Links : public testing::Namespaces {
protected:
    void watch(const std::vector<std::string>& names) {
        auto opened =
            LinkWatch::open(io_, [this](const LinkChange& change) { changes_.push_back(change); });
        ASSERT_TRUE(opened) << opened.error().text();
        watch_ = std::move(*opened);
        ASSERT_TRUE(watch_->set_names(names));
    }
    bool run_until_seen(const std::function<bool(const LinkChange&)>& wanted) {
        return run_until([&] { return std::any_of(changes_.begin(), changes_.end(), wanted); });
    }

    std::vector<LinkChange> changes_;
    std::unique_ptr<LinkWatch> watch_;
};

TEST_F(Links, FindTellsAllOfIt) {
    const auto link = find_link(*requests_, "eth0");
    ASSERT_TRUE(link) << link.error().text();
    EXPECT_EQ(link->name, "eth0");
    EXPECT_EQ(link->ifindex, if_nametoindex("eth0"));
    EXPECT_EQ(link->mac.to_string(), mac_here);
    EXPECT_EQ(link->mtu, 1500);
    EXPECT_TRUE(link->up && link->carrier && link->ethernet);
    EXPECT_EQ(link->kind, "veth");
    EXPECT_EQ(driver_of("eth0"), "veth");
    EXPECT_EQ(find_link(*requests_, link->ifindex), *link);
    EXPECT_FALSE(find_link(*requests_, "lo")->ethernet);
}

TEST_F(Links, WhetherTagsAreTakenOffIsToldByTheDriver) {
    run("ethtool -K eth0 rxvlan on");
    EXPECT_EQ(strips_vlan_tags("eth0"), true);
    run("ethtool -K eth0 rxvlan off");
    EXPECT_EQ(strips_vlan_tags("eth0"), false);
    EXPECT_EQ(strips_vlan_tags("eth9"), std::nullopt);
    EXPECT_TRUE(bond_parts(*requests_, if_nametoindex("eth0")).empty());
}

TEST_F(Links, AnUnknownNameIsAnErrorWithItsPlace) {
    EXPECT_EQ(find_link(*requests_, "eth9").error().text(), "interface eth9: No such device");
    EXPECT_EQ(find_link(*requests_, "a-name-that-is-too-long").error().text(),
              "interface a-name-that-is-too-long: a name has 1 to 15 characters");
    EXPECT_FALSE(find_link(*requests_, 12345));
}

TEST_F(Links, AnotherNameOfALinkIsNotTakenForIt) {
    run("ip link property add dev eth0 altname uplink");
    EXPECT_EQ(find_link(*requests_, "uplink").error().text(),
              "interface uplink: is another name of eth0");
}

TEST_F(Links, MacCarrierAndStateAreReported) {
    watch({"eth0"});
    run("ip link set eth0 address 02:00:00:00:00:77");
    ASSERT_TRUE(run_until_seen([](const LinkChange& c) {
        return c.now && c.now->mac.to_string() == "02:00:00:00:00:77";
    }));
    EXPECT_EQ(changes_.front().before->mac.to_string(), mac_here);
    there([] { run("ip link set eth1 down"); });
    ASSERT_TRUE(
        run_until_seen([](const LinkChange& c) { return c.now && c.now->up && !c.now->carrier; }));
    run("ip link set eth0 down");
    ASSERT_TRUE(run_until_seen([](const LinkChange& c) { return c.now && !c.now->up; }));
    EXPECT_FALSE(watch_->get("eth0")->up);
}

TEST_F(Links, DeletionAndReturnAreReported) {
    watch({"eth0", "eth5"});
    EXPECT_FALSE(watch_->get("eth5"));
    const auto old = watch_->get("eth0")->ifindex;
    run("ip link del eth0");
    ASSERT_TRUE(
        run_until_seen([](const LinkChange& c) { return c.name == "eth0" && !c.now && c.before; }));
    EXPECT_FALSE(watch_->get("eth0"));
    changes_.clear();
    run("ip link add eth0 type veth peer name eth1");
    ASSERT_TRUE(
        run_until_seen([](const LinkChange& c) { return c.name == "eth0" && c.now && !c.before; }));
    EXPECT_NE(watch_->get("eth0")->ifindex, old);
}

TEST_F(Links, ARenameIsAnEndAndABeginning) {
    watch({"eth0", "eth5"});
    run("ip link set eth0 down");
    run("ip link set eth0 name eth5");
    ASSERT_TRUE(run_until_seen([](const LinkChange& c) { return c.name == "eth5" && c.now; }));
    EXPECT_FALSE(watch_->get("eth0"));
}

}  // namespace
}  // namespace bascule::node
