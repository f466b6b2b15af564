// SPDX-License-Identifier: Apache-2.0
// Programs on interfaces: put on, kept, swapped, refused, taken off.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <unistd.h>

#include <filesystem>

#include "bpf/contract.h"
#include "fixture.h"

namespace bascule::test {
namespace {

using dataplane::Attachment;
using dataplane::Dataplane;
using model::XdpMode;

class AttachmentTest : public DataplaneTest {
protected:
    void SetUp() override { make_veth("e0"); }
    void TearDown() override {
        DataplaneTest::TearDown();
        if (::if_nametoindex("e0") != 0) remove_veth("e0");
    }
    bsc_port port(std::uint32_t index) const {
        bsc_port value{};
        const int fd = bpf_obj_get(pin("maps/ports").c_str());
        EXPECT_EQ(bpf_map_lookup_elem(fd, &index, &value), 0);
        ::close(fd);
        return value;
    }
};

TEST_F(AttachmentTest, NativeOnVeth) {
    open();
    const Attachment got = attach("e0");
    EXPECT_EQ(got.mode, XdpMode::native);
    EXPECT_FALSE(got.adopted);
    EXPECT_EQ(got.warning, "");
    EXPECT_EQ(program_on("e0"), id_of_program(plane_->program_fd()));
    EXPECT_EQ(port(0).ifindex, ::if_nametoindex("e0"));
    EXPECT_NE(port(0).mac, 0U);
}

TEST_F(AttachmentTest, GenericWhenAsked) {
    open();
    EXPECT_EQ(attach("e0", XdpMode::generic).mode, XdpMode::generic);
    EXPECT_NE(program_on("e0"), 0U);
}

TEST_F(AttachmentTest, FallsBackToGenericAndSaysWhy) {
    shell("ip link set dev e0 mtu 9000 && ip link set dev e0p mtu 9000");
    open();
    const auto refused = plane_->attach("e0", XdpMode::native);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("attach e0: the driver has no native XDP here: "),
              std::string::npos)
        << refused.error().text();
    EXPECT_NE(refused.error().text().find("Peer MTU is too large"), std::string::npos);
    EXPECT_EQ(program_on("e0"), 0U);
    const Attachment got = attach("e0");
    EXPECT_EQ(got.mode, XdpMode::generic);
    EXPECT_NE(got.warning.find("Peer MTU"), std::string::npos) << got.warning;
}

TEST_F(AttachmentTest, RefusesAForeignProgramOfNetlink) {
    const int foreign = load_foreign_program();
    const int index = static_cast<int>(::if_nametoindex("e0"));
    ASSERT_EQ(bpf_xdp_attach(index, foreign, XDP_FLAGS_DRV_MODE, nullptr), 0);
    open();
    const auto refused = plane_->attach("e0", XdpMode::automatic);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(),
              "attach e0: e0 carries another XDP program already ('xdp_pass', id " +
                  std::to_string(id_of_program(foreign)) +
                  "): detach it first (`ip link set dev e0 xdp off`)");
    EXPECT_EQ(program_on("e0"), id_of_program(foreign));
    shell("ip link set dev e0 xdp off");
    attach("e0");
    ::close(foreign);
}

TEST_F(AttachmentTest, RefusesAForeignLinkByItsId) {
    const int foreign = load_foreign_program();
    const int index = static_cast<int>(::if_nametoindex("e0"));
    const int link = bpf_link_create(foreign, index, BPF_XDP, nullptr);
    ASSERT_GE(link, 0);
    open();
    const auto refused = plane_->attach("e0", XdpMode::automatic);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("`bpftool link detach id "), std::string::npos)
        << refused.error().text();
    ::close(link);
    ::close(foreign);
}

TEST_F(AttachmentTest, MissingInterface) {
    open();
    const auto refused = plane_->attach("nowhere", XdpMode::automatic);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(), "attach nowhere: there is no network interface 'nowhere'");
}

TEST_F(AttachmentTest, SurvivesCloseAndIsSwappedInPlace) {
    open();
    attach("e0");
    const std::uint32_t first = program_on("e0");
    const std::uint32_t link = id_of_link(pin("links/e0"));
    plane_.reset();
    EXPECT_EQ(program_on("e0"), first) << "packets flow without the process";

    open();
    EXPECT_TRUE(plane_->adopted());
    ASSERT_EQ(plane_->attachments().size(), 1U);
    EXPECT_TRUE(plane_->attachments()[0].adopted);
    EXPECT_EQ(program_on("e0"), first) << "not touched before attach()";
    const Attachment got = attach("e0");
    EXPECT_TRUE(got.adopted);
    EXPECT_EQ(got.mode, XdpMode::native);
    EXPECT_NE(program_on("e0"), first);
    EXPECT_EQ(program_on("e0"), id_of_program(plane_->program_fd()));
    EXPECT_EQ(id_of_link(pin("links/e0")), link);
}

TEST_F(AttachmentTest, AnotherModeReplacesTheLink) {
    open();
    attach("e0", XdpMode::generic);
    open();
    EXPECT_EQ(attach("e0", XdpMode::automatic).mode, XdpMode::generic) << "stays as it is";
    EXPECT_NE(plane_->attachments()[0].warning, "");
    EXPECT_EQ(attach("e0", XdpMode::native).mode, XdpMode::native);
    EXPECT_EQ(plane_->attachments()[0].warning, "");
    EXPECT_NE(id_of_link(pin("links/e0")), 0U);
}

TEST_F(AttachmentTest, ARefusedModeLeavesTheOldOne) {
    shell("ip link set dev e0 mtu 9000 && ip link set dev e0p mtu 9000");
    open();
    attach("e0", XdpMode::generic);
    EXPECT_FALSE(plane_->attach("e0", XdpMode::native));
    EXPECT_NE(program_on("e0"), 0U);
    plane_.reset();
    EXPECT_NE(program_on("e0"), 0U) << "still pinned";
}

TEST_F(AttachmentTest, AnInterfaceMadeAnewGetsTheProgram) {
    open();
    attach("e0");
    remove_veth("e0");
    make_veth("e0");
    EXPECT_EQ(program_on("e0"), 0U);
    attach("e0");
    EXPECT_NE(program_on("e0"), 0U);
    remove_veth("e0");
    open();
    EXPECT_TRUE(plane_->attachments().empty());
    EXPECT_FALSE(std::filesystem::exists(pin("links/e0")));
}

TEST_F(AttachmentTest, ARenamedInterfaceIsStillOurs) {
    open();
    attach("e0");
    plane_.reset();
    shell("ip link set dev e0 down && ip link set dev e0 name lan.7 && ip link set dev lan.7 up");
    open();
    ASSERT_EQ(plane_->attachments().size(), 1U);
    EXPECT_EQ(plane_->attachments()[0].interface, "lan.7");
    EXPECT_TRUE(attach("lan.7").adopted);
    EXPECT_NE(id_of_link(pin("links/lan:7")), 0U);
    remove_veth("lan.7");
}

TEST_F(AttachmentTest, SeveralInterfacesHavePortsOfTheirOwn) {
    make_veth("e1.100");
    open();
    attach("e0");
    attach("e1.100");
    EXPECT_EQ(port(0).ifindex, ::if_nametoindex("e0"));
    EXPECT_EQ(port(1).ifindex, ::if_nametoindex("e1.100"));
    EXPECT_NE(program_on("e0"), program_on("e1.100"));

    open();
    ASSERT_EQ(plane_->attachments().size(), 2U);
    EXPECT_EQ(plane_->attachments()[1].interface, "e1.100");
    attach("e1.100");
    EXPECT_EQ(port(1).ifindex, ::if_nametoindex("e1.100")) << "keeps its port";
    EXPECT_EQ(program_on("e1.100"), id_of_program(plane_->program_fd()));
    ASSERT_TRUE(plane_->detach("e0"));
    EXPECT_EQ(program_on("e0"), 0U);
    EXPECT_EQ(port(0).ifindex, 0U);
    EXPECT_FALSE(plane_->detach("e0"));
    EXPECT_NE(program_on("e1.100"), 0U);
    remove_veth("e1.100");
}

TEST_F(AttachmentTest, RoutesMayNameItByAnotherIndex) {
    open();
    attach("e0");
    EXPECT_EQ(port(0).route_ifindex, ::if_nametoindex("e0"));
    ASSERT_TRUE(plane_->attach("e0", XdpMode::automatic, 77));
    EXPECT_EQ(port(0).route_ifindex, 77U) << "it became a part of a bond";
    open();
    EXPECT_EQ(port(0).route_ifindex, 77U);
    ASSERT_TRUE(plane_->attach("e0", XdpMode::automatic, 77));
    EXPECT_EQ(port(0).route_ifindex, 77U);
    EXPECT_EQ(port(0).ifindex, ::if_nametoindex("e0"));
    attach("e0");
    EXPECT_EQ(port(0).route_ifindex, ::if_nametoindex("e0"));
}

TEST_F(AttachmentTest, CapturingCopiesComeAndGo) {
    make_veth("e1");
    open();
    attach("e0");
    attach("e1");
    const std::uint32_t live0 = program_on("e0");
    const std::uint32_t live1 = program_on("e1");
    ASSERT_TRUE(plane_->set_capturing(true));
    const std::uint32_t capturing = program_on("e0");
    EXPECT_NE(capturing, live0);
    EXPECT_NE(program_on("e1"), live1);
    ASSERT_TRUE(plane_->set_capturing(true)) << "once more is no error";
    EXPECT_EQ(program_on("e0"), capturing);
    EXPECT_EQ(id_of_program(plane_->program_fd()), live0) << "for tests, as ever";
    make_veth("e2");
    attach("e2");
    ASSERT_TRUE(plane_->set_capturing(false));
    EXPECT_EQ(program_on("e0"), live0);
    EXPECT_EQ(program_on("e1"), live1);
    EXPECT_NE(program_on("e2"), 0U);

    ASSERT_TRUE(plane_->set_capturing(true));
    open();
    EXPECT_NE(program_on("e0"), 0U) << "left by a process that died";
    attach("e0");
    EXPECT_EQ(program_on("e0"), id_of_program(plane_->program_fd()));
    remove_veth("e1");
    remove_veth("e2");
}

TEST_F(AttachmentTest, ATracingCopyIsForAnInterfaceThatCarriesTheProgram) {
    open();
    EXPECT_FALSE(plane_->tracing_program("e0"));
    attach("e0");
    const auto tracing = plane_->tracing_program("e0");
    ASSERT_TRUE(tracing) << tracing.error().text();
    EXPECT_NE(id_of_program(*tracing), program_on("e0"));
    EXPECT_EQ(*plane_->tracing_program("e0"), *tracing) << "loaded once";
    EXPECT_GE(plane_->map_fd("notes"), 0);
    EXPECT_EQ(plane_->map_fd("nothing"), -1);
}

TEST_F(AttachmentTest, ANewMacReachesThePort) {
    open();
    const Attachment got = attach("e0");
    const Mac mac = *Mac::parse("02:00:00:00:00:99");
    plane_->interface_mac_changed(got.ifindex, mac);
    EXPECT_EQ(port(0).mac, mac.to_word());
    plane_->interface_mac_changed(got.ifindex + 1000, Mac{});
    EXPECT_EQ(port(0).mac, mac.to_word());
}

TEST_F(AttachmentTest, DetachAllLeavesNothingOfOurs) {
    shell("mkdir " + options_.bpffs + " " + options_.bpffs + "/others");
    open();
    attach("e0");
    const auto gone = Dataplane::detach_all(options_.bpffs);
    ASSERT_TRUE(gone) << gone.error().text();
    EXPECT_EQ(program_on("e0"), 0U) << "although the process still has it open";
    EXPECT_FALSE(std::filesystem::exists(pin("")));
    EXPECT_TRUE(std::filesystem::exists(options_.bpffs + "/others"));
    EXPECT_TRUE(Dataplane::detach_all(options_.bpffs)) << "a second time is no error";
    EXPECT_TRUE(Dataplane::detach_all(options_.bpffs + "/none"));
    EXPECT_FALSE(Dataplane::detach_all(plain_directory()));
}

}  // namespace
}  // namespace bascule::test
