// SPDX-License-Identifier: Apache-2.0
// The probing program on its end of the pair: put on, kept, swapped, taken off, apart from the
// interfaces that clients' packets arrive by.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <vector>

#include "bpf/lookup.h"
#include "dataplane/config_memory.h"
#include "fixture.h"

namespace bascule::test {
namespace {

using dataplane::ProbePath;
using model::XdpMode;

class ProbePortTest : public DataplaneTest {
protected:
    void SetUp() override {
        make_veth("e0");
        make_veth("pr");
    }
    void TearDown() override {
        DataplaneTest::TearDown();
        for (const char* name : {"e0", "pr"})
            if (::if_nametoindex(name) != 0) remove_veth(name);
    }
    static ProbePath path() { return {"pr", ::if_nametoindex("pr"), mac()}; }
    static Mac mac() { return *Mac::parse("02:00:00:00:00:77"); }
    void set() {
        const auto set = plane_->set_probe_path(path());
        ASSERT_TRUE(set) << set.error().text();
    }
    template <typename Value>
    Value entry(const char* map, std::uint32_t index) const {
        Value value{};
        EXPECT_EQ(bpf_map_lookup_elem(plane_->map_fd(map), &index, &value), 0) << map;
        return value;
    }
    void expect_port() const {
        const auto port = entry<bsc_port>("ports", BSC_PROBE_PORT);
        EXPECT_EQ(port.ifindex, ::if_nametoindex("pr"));
        EXPECT_EQ(port.route_ifindex, port.ifindex);
        EXPECT_EQ(port.mac, mac().to_word());
    }
};

TEST_F(ProbePortTest, IsPutOnGenericAndIsNoneOfTheAttachments) {
    open();
    attach("e0");
    set();
    EXPECT_NE(program_on("pr"), 0U);
    EXPECT_NE(program_on("pr"), program_on("e0"));
    expect_port();
    ASSERT_EQ(plane_->attachments().size(), 1U);
    EXPECT_EQ(plane_->attachments()[0].interface, "e0");
    EXPECT_EQ(entry<bsc_port>("ports", 0).ifindex, ::if_nametoindex("e0"));
    EXPECT_EQ(entry<bsc_port>("ports", 1).ifindex, 0U);
    EXPECT_FALSE(plane_->detach("pr"));
    EXPECT_NE(program_on("pr"), 0U);
    bpf_xdp_query_opts query{};
    query.sz = sizeof(query);
    ASSERT_EQ(bpf_xdp_query(static_cast<int>(::if_nametoindex("pr")), 0, &query), 0);
    EXPECT_NE(query.skb_prog_id, 0U) << "generic";
}

TEST_F(ProbePortTest, OfAnotherLayoutIsSwappedInPlace) {
    open();
    set();
    const std::uint32_t first = program_on("pr");
    const std::uint32_t link = id_of_link(pin("probe/link"));
    plane_.reset();
    std::filesystem::rename(options_.bpffs + "/v" + std::to_string(BSC_LAYOUT_VERSION),
                            options_.bpffs + "/v1");
    open();
    EXPECT_EQ(program_on("pr"), first);
    set();
    EXPECT_NE(program_on("pr"), first);
    EXPECT_EQ(id_of_link(pin("probe/link")), link);
}

TEST_F(ProbePortTest, SurvivesCloseAndIsSwappedInPlaceOnce) {
    open();
    set();
    const std::uint32_t first = program_on("pr");
    const std::uint32_t link = id_of_link(pin("probe/link"));
    set();
    EXPECT_EQ(program_on("pr"), first) << "set again, it stays";
    open();
    EXPECT_EQ(program_on("pr"), first) << "not touched before it is set";
    expect_port();
    set();
    EXPECT_NE(program_on("pr"), first);
    EXPECT_EQ(id_of_link(pin("probe/link")), link);
    expect_port();
}

TEST_F(ProbePortTest, IsAdoptedFromAProcessThatWasKilled) {
    const pid_t child = ::fork();
    if (child == 0) {
        open();
        set();
        ::kill(::getpid(), SIGKILL);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const std::uint32_t left = program_on("pr");
    EXPECT_NE(left, 0U);
    open();
    EXPECT_TRUE(plane_->adopted());
    set();
    EXPECT_NE(program_on("pr"), left);
    EXPECT_NE(program_on("pr"), 0U);
}

TEST_F(ProbePortTest, APairMadeAnewGetsTheProgram) {
    open();
    set();
    remove_veth("pr");
    make_veth("pr");
    set();
    EXPECT_NE(program_on("pr"), 0U);
    expect_port();
    remove_veth("pr");
    open();
    EXPECT_FALSE(std::filesystem::exists(pin("probe/link"))) << "hung on nothing";
    make_veth("pr");
    set();
    EXPECT_NE(program_on("pr"), 0U);
}

TEST_F(ProbePortTest, AnotherPairTakesItsPlace) {
    make_veth("pr2");
    open();
    set();
    const ProbePath other{"pr2", ::if_nametoindex("pr2"), mac()};
    ASSERT_TRUE(plane_->set_probe_path(other));
    EXPECT_EQ(program_on("pr"), 0U);
    EXPECT_NE(program_on("pr2"), 0U);
    EXPECT_EQ(entry<bsc_port>("ports", BSC_PROBE_PORT).ifindex, other.ifindex);
    remove_veth("pr2");
}

TEST_F(ProbePortTest, RefusesAForeignProgram) {
    const int foreign = load_foreign_program();
    const int link =
        bpf_link_create(foreign, static_cast<int>(::if_nametoindex("pr")), BPF_XDP, nullptr);
    ASSERT_GE(link, 0);
    open();
    const auto refused = plane_->set_probe_path(path());
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("probes by pr: pr carries another XDP program already"),
              std::string::npos)
        << refused.error().text();
    EXPECT_EQ(entry<bsc_port>("ports", BSC_PROBE_PORT).ifindex, 0U) << "no answers go there";
    ::close(link);
    ::close(foreign);
    set();
}

TEST_F(ProbePortTest, CapturingLeavesItAlone) {
    open();
    attach("e0");
    set();
    const std::uint32_t probing = program_on("pr");
    ASSERT_TRUE(plane_->set_capturing(true));
    EXPECT_EQ(program_on("pr"), probing);
    ASSERT_TRUE(plane_->set_capturing(false));
    EXPECT_EQ(program_on("pr"), probing);
}

TEST_F(ProbePortTest, AnotherSizeOfTheTablesLeavesItWorking) {
    open();
    set();
    options_.max_sessions *= 2;
    open();
    set();
    EXPECT_NE(program_on("pr"), 0U);
    expect_port();
}

TEST_F(ProbePortTest, DetachAllTakesItOff) {
    open();
    attach("e0");
    set();
    ASSERT_TRUE(dataplane::Dataplane::detach_all(options_.bpffs));
    EXPECT_EQ(program_on("pr"), 0U) << "although the process still has it open";
    EXPECT_FALSE(std::filesystem::exists(pin("")));
}

TEST_F(ProbePortTest, SourcesOpenTheGateOneByOne) {
    open();
    const auto is_open = [&](const char* text) {
        const auto words = dataplane::words_of(*Address::parse(text));
        const std::uint32_t bit = bsc_probe_gate_bit(words.word[0], words.word[1]);
        const auto gate = entry<bsc_probe_gate>("probe_gate", 0);
        return (gate.word[bit / 64] >> bit % 64 & 1) != 0;
    };
    EXPECT_FALSE(is_open("10.9.0.1"));
    plane_->add_probe_source(*Address::parse("10.9.0.1"));
    plane_->add_probe_source(*Address::parse("10.9.0.1"));
    EXPECT_TRUE(is_open("10.9.0.1"));
    EXPECT_FALSE(is_open("2001:db8::1"));
    plane_->add_probe_source(*Address::parse("2001:db8::1"));
    EXPECT_TRUE(is_open("10.9.0.1") && is_open("2001:db8::1"));
    open();
    EXPECT_TRUE(is_open("10.9.0.1")) << "its last probes may still come back";
    const auto gate = entry<bsc_probe_gate>("probe_gate", 0);
    int bits = 0;
    for (const std::uint64_t word : gate.word)
        bits += std::popcount(word);
    EXPECT_EQ(bits, 2);
}

TEST_F(ProbePortTest, NotesAreReadAsTheyStand) {
    open();
    EXPECT_EQ(plane_->probe_note(7).event, std::uint32_t{BSC_PROBE_NOTHING});
    bsc_probe_note written{};
    written.nanoseconds = 123'456'789'012;
    written.event = BSC_PROBE_ICMP;
    written.detail = 3 << 8 | 2;
    const auto from = dataplane::words_of(*Address::parse("10.9.0.31"));
    written.be_from[0] = from.word[0];
    written.be_from[1] = from.word[1];
    written.be_port = htons(8080);
    written.generation = 9;
    const std::uint32_t slot = 7;
    ASSERT_EQ(bpf_map_update_elem(plane_->map_fd("probe_notes"), &slot, &written, BPF_ANY), 0);
    const auto note = plane_->probe_note(7);
    EXPECT_EQ(note.event, std::uint32_t{BSC_PROBE_ICMP});
    EXPECT_EQ(note.detail, 3U << 8 | 2U);
    EXPECT_EQ(note.from.to_string(), "10.9.0.31");
    EXPECT_EQ(note.port, 8080);
    EXPECT_EQ(note.generation, 9);
    EXPECT_EQ(note.nanoseconds, 123'456'789'012U);
    EXPECT_EQ(plane_->probe_note(8).event, 0U);
    EXPECT_EQ(plane_->probe_note(65535).event, 0U) << "there is no such slot";
}

}  // namespace
}  // namespace bascule::test
