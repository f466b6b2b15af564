// SPDX-License-Identifier: Apache-2.0
// In network namespaces: what `basculed --check` says of the interfaces of VIPs, with real VLANs,
// bonds (where the kernel has them) and a bridge.
#include "node/vip_notices.h"

#include <gmock/gmock.h>

#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ip;
using ::testing::IsEmpty;

class Notices : public testing::Namespaces {
protected:
    static std::vector<std::string> of(std::vector<std::string> interfaces,
                                       const std::string& vip_on) {
        model::Config config;
        config.node.interfaces = std::move(interfaces);
        config.vips = {{ip("10.9.0.100"), vip_on, {}}};
        return vip_notices(config);
    }
    // Some kernels have only some kinds of interfaces.
    static bool kernel_has(const std::string& kind) {
        return output("ip link add tried type " + kind + " 2>&1; ip link del tried 2> /dev/null")
                   .find("Unknown device type") == std::string::npos;
    }
};

TEST_F(Notices, NothingOfAVipOnAnInterfaceOfTheNode) {
    EXPECT_THAT(of({"lo", "eth0"}, "eth0"), IsEmpty());
}

TEST_F(Notices, AnInterfaceThatIsNotThere) {
    EXPECT_THAT(of({"eth0"}, "eth9"), ElementsAre("10.9.0.100: this host has no interface eth9"));
}

TEST_F(Notices, AnInterfaceThatCarriesNoProgram) {
    run("ip link add other type veth");
    EXPECT_THAT(of({"eth0"}, "other"),
                ElementsAre(HasSubstr("10.9.0.100: other is none of [node] interfaces")));
}

TEST_F(Notices, AVlanIsCoveredByWhatItIsOn) {
    if (!kernel_has("vlan id 7")) GTEST_SKIP() << "this kernel has no VLANs";
    run("ip link add link eth0 name eth0.7 type vlan id 7");
    run("ip link add link eth0.7 name inner type vlan id 8");
    EXPECT_THAT(of({"eth0"}, "eth0.7"), IsEmpty());
    EXPECT_THAT(of({"eth0"}, "inner"), IsEmpty()) << "two levels";
    EXPECT_THAT(of({"eth0.7"}, "eth0"), ElementsAre(HasSubstr("eth0 is none"))) << "not downwards";
    run("ip link add other type veth");
    run("ip link add link other name other.7 type vlan id 7");
    EXPECT_THAT(of({"eth0"}, "other.7"), ElementsAre(HasSubstr("other.7 is none")));
}

TEST_F(Notices, ABondIsCoveredByAllOfItsParts) {
    if (!kernel_has("bond")) GTEST_SKIP() << "this kernel has no bonds";
    run("ip link add bond0 type bond");
    EXPECT_THAT(of({"eth0"}, "bond0"), ElementsAre(HasSubstr("bond0 is none"))) << "of no parts";
    for (const std::string name : {"part1", "part2"}) {
        run("ip link add " + name + " type veth");
        run("ip link set " + name + " master bond0");
    }
    EXPECT_THAT(of({"part1", "part2"}, "bond0"), IsEmpty());
    EXPECT_THAT(of({"part1"}, "bond0"), ElementsAre(HasSubstr("bond0 is none")));
    run("ip link add link bond0 name bond0.7 type vlan id 7");
    EXPECT_THAT(of({"part1", "part2"}, "bond0.7"), IsEmpty());
    EXPECT_THAT(of({"part2"}, "bond0.7"), ElementsAre(HasSubstr("bond0.7 is none")));
}

TEST_F(Notices, ABridgeIsNotCoveredByItsPorts) {
    run("ip link add br0 type bridge");
    run("ip link add port type veth");
    run("ip link set port master br0");
    EXPECT_THAT(of({"port"}, "br0"), ElementsAre(HasSubstr("br0 is none")))
        << "what the program passes on is the bridge's, not the host's";
}

}  // namespace
}  // namespace bascule::node
