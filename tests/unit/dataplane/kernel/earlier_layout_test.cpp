// SPDX-License-Identifier: Apache-2.0
// An upgrade, or its way back, meets what a daemon with tables of another layout left.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <filesystem>

#include "fixture.h"

namespace bascule::test {
namespace {

namespace fs = std::filesystem;
using dataplane::Dataplane;

class EarlierLayoutTest : public DataplaneTest {
protected:
    void SetUp() override { make_veth("e0"); }
    void TearDown() override {
        plane_.reset();
        fs::remove(pin("links/stray"));
        DataplaneTest::TearDown();
        if (::if_nametoindex("e0") != 0) remove_veth("e0");
    }

    // What a process that put the program on e0 left, as a daemon of another version would have.
    void leave(const std::string& place) {
        open();
        attach("e0");
        plane_.reset();
        fs::rename(own_, place);
    }
    void make_anew() {
        remove_veth("e0");
        make_veth("e0");
    }
    std::string refusal() const {
        const auto opened = Dataplane::open(options_);
        return opened ? "" : opened.error().text();
    }
    // A link of somebody's else, of the network namespace.
    static void pin_stray_link(const std::string& path) {
        bpf_insn code[2] = {};
        code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
        code[0].imm = SK_PASS;
        code[1].code = BPF_JMP | BPF_EXIT;
        bpf_prog_load_opts options{};
        options.sz = sizeof(options);
        options.expected_attach_type = BPF_SK_LOOKUP;
        const int program =
            bpf_prog_load(BPF_PROG_TYPE_SK_LOOKUP, "stray", "GPL", code, 2, &options);
        ASSERT_GE(program, 0);
        const int space = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        const int link = bpf_link_create(program, space, BPF_SK_LOOKUP, nullptr);
        ASSERT_GE(link, 0);
        ASSERT_EQ(bpf_obj_pin(link, path.c_str()), 0);
        ::close(link);
        ::close(space);
        ::close(program);
    }

    const std::string own_ = options_.bpffs + "/v" + std::to_string(BSC_LAYOUT_VERSION);
    const std::string other_ = options_.bpffs + "/v9999";
};

TEST_F(EarlierLayoutTest, ItsLinkIsSwappedInPlace) {
    leave(other_);
    const std::uint32_t first = program_on("e0");
    const std::uint32_t link = id_of_link(other_ + "/links/e0");

    open();
    EXPECT_FALSE(plane_->adopted()) << "its tables cannot be read";
    EXPECT_TRUE(plane_->inherited());
    EXPECT_EQ(program_on("e0"), first) << "not touched before attach()";
    EXPECT_TRUE(attach("e0").adopted);
    EXPECT_EQ(program_on("e0"), id_of_program(plane_->program_fd()));
    EXPECT_EQ(id_of_link(pin("links/e0")), link);
    ASSERT_TRUE(plane_->drop_other_layouts());
    EXPECT_FALSE(fs::exists(other_));
    EXPECT_TRUE(plane_->inherited()) << "as it was at the start";
}

TEST_F(EarlierLayoutTest, AStartThatEndsBeforeTheSwapIsRememberedByTheNext) {
    leave(other_);
    const std::uint32_t first = program_on("e0");
    for (int i = 0; i < 2; i++) {
        open();
        EXPECT_EQ(plane_->adopted(), i > 0);
        EXPECT_TRUE(plane_->inherited()) << "the old program goes by the old tables";
        EXPECT_EQ(program_on("e0"), first);
    }
    EXPECT_TRUE(fs::exists(other_ + "/maps"));
    attach("e0");
    ASSERT_TRUE(plane_->drop_other_layouts());
    open();
    EXPECT_TRUE(plane_->adopted());
    EXPECT_FALSE(plane_->inherited());
}

TEST_F(EarlierLayoutTest, WithoutALinkNothingIsInherited) {
    leave(other_);
    make_anew();
    open();
    EXPECT_FALSE(plane_->adopted());
    EXPECT_FALSE(plane_->inherited());
    EXPECT_FALSE(attach("e0").adopted);
}

TEST_F(EarlierLayoutTest, AnOpenThatIsRefusedLeavesItsLinksInTheirPlace) {
    leave(other_);
    const std::uint32_t link = id_of_link(other_ + "/links/e0");
    fs::create_directories(pin("maps_next/in_the_way"));
    EXPECT_NE(refusal().find("in_the_way"), std::string::npos) << refusal();
    EXPECT_EQ(id_of_link(other_ + "/links/e0"), link);
    EXPECT_NE(program_on("e0"), 0U);
    fs::remove(pin("maps_next/in_the_way"));
    open();
    EXPECT_EQ(id_of_link(pin("links/e0")), link);
}

TEST_F(EarlierLayoutTest, ALinkWhosePlaceIsTakenIsTakenOff) {
    make_veth("e1");
    open();
    attach("e0");
    attach("e1");
    plane_.reset();
    fs::create_directories(other_ + "/links");
    fs::rename(pin("links/e1"), other_ + "/links/e0");

    open();
    EXPECT_NE(program_on("e0"), 0U);
    EXPECT_EQ(program_on("e1"), 0U);
    EXPECT_FALSE(attach("e1").adopted);
    ASSERT_TRUE(plane_->drop_other_layouts());
    EXPECT_FALSE(fs::exists(other_));
    remove_veth("e1");
}

TEST_F(EarlierLayoutTest, OfTwoLinksTheOneThatLivesStays) {
    const std::string parked = options_.bpffs + "-parked";
    for (const std::string& dead : {options_.bpffs + "/v3", own_}) {
        leave(parked);
        make_anew();
        leave(other_);
        fs::rename(parked, dead);
        const std::uint32_t first = program_on("e0");
        const std::uint32_t link = id_of_link(other_ + "/links/e0");

        open();
        EXPECT_EQ(program_on("e0"), first) << dead;
        EXPECT_TRUE(attach("e0").adopted);
        EXPECT_EQ(id_of_link(pin("links/e0")), link);
        ASSERT_TRUE(plane_->drop_other_layouts());
        plane_.reset();
        ASSERT_TRUE(Dataplane::detach_all(options_.bpffs));
    }
}

TEST_F(EarlierLayoutTest, ALinkThatIsNoProgramsOnAnInterfaceIsNamedAndLeftAlone) {
    leave(other_);
    for (const std::string& stray : {other_ + "/links/stray", pin("links/stray")}) {
        fs::create_directories(fs::path(stray).parent_path());
        pin_stray_link(stray);
        const std::uint32_t link = id_of_link(stray);
        EXPECT_EQ(refusal(), stray +
                                 ": is not the link of an XDP program, so not one of "
                                 "Bascule's: remove it");
        EXPECT_EQ(id_of_link(stray), link);
        EXPECT_NE(program_on("e0"), 0U);
        fs::remove(stray);
    }
    open();
    EXPECT_TRUE(attach("e0").adopted);
}

}  // namespace
}  // namespace bascule::test
