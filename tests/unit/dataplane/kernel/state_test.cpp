// SPDX-License-Identifier: Apache-2.0
// Pins that are whole, half there, of another size, or left by a process that died.
#include <bpf/bpf.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <vector>

#include "dataplane/kernel_clock.h"
#include "fixture.h"
#include "model/plan.h"

namespace bascule::test {
namespace {

using dataplane::Dataplane;
using dataplane::Session;

class StateTest : public DataplaneTest {
protected:
    static Session session(std::uint16_t port, bool v6) {
        Session made;
        made.key.source = v6 ? *Address::parse("2001:db8::5") : *Address::parse("192.0.2.5");
        made.key.source_port = port;
        made.key.destination_port = 80;
        made.key.service = 3;
        made.state = BSC_ESTABLISHED;
        made.backend = static_cast<std::uint16_t>(1 + port % 50);
        made.generation = 9;
        return made;
    }
    void put_sessions(std::uint16_t count) {
        for (std::uint16_t port = 1; port <= count; port++)
            for (const bool v6 : {false, true})
                ASSERT_TRUE(plane_->sessions().put(session(port, v6)));
    }
    // Idle times go on meanwhile.
    std::size_t intact_sessions(std::uint16_t count) {
        std::size_t intact = 0;
        for (std::uint16_t port = 1; port <= count; port++)
            for (const bool v6 : {false, true}) {
                auto found = plane_->sessions().find(session(port, v6).key);
                if (found) found->idle = 0;
                intact += found == session(port, v6);
            }
        return intact;
    }
    void copy_pins(const std::string& from, const std::string& to) {
        std::filesystem::create_directory(to);
        for (const auto& entry : std::filesystem::directory_iterator(from)) {
            const int fd = bpf_obj_get(entry.path().c_str());
            ASSERT_GE(fd, 0);
            ASSERT_EQ(bpf_obj_pin(fd, (to + "/" + entry.path().filename().string()).c_str()), 0);
            ::close(fd);
        }
    }
    void expect_whole() {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(pin("maps")))
            names.insert(entry.path().filename());
        EXPECT_EQ(names,
                  (std::set<std::string>{"backend_traffic", "backends",        "capture_filter",
                                         "capture_records", "capture_scratch", "delta_logs",
                                         "drops",           "egress",          "events",
                                         "fragments",       "guards",          "icmp_budget",
                                         "notes",           "ports",           "probe_flows",
                                         "probe_gate",      "probe_notes",     "rings",
                                         "rivals",          "service_traffic", "service_words",
                                         "services",        "sessions4",       "sessions6",
                                         "settings",        "vip_states",      "vips"}));
        EXPECT_FALSE(std::filesystem::exists(pin("maps_next")));
    }
};

TEST_F(StateTest, SessionsSurviveARestart) {
    open();
    put_sessions(500);
    open();
    EXPECT_EQ(intact_sessions(500), 1000U);
    expect_whole();
}

TEST_F(StateTest, SessionsSurviveAnotherSize) {
    make_veth("r0");
    open();
    attach("r0");
    put_sessions(1000);
    for (const std::uint32_t size : {40'000U, 6'000U, 6'000U, 20'000U}) {
        options_.max_sessions = size;
        options_.max_sessions_v6 = size;
        const std::uint32_t before = program_on("r0");
        const bool resized = plane_->sessions().capacity_v4() != size / 128 * 128;
        open();
        EXPECT_TRUE(plane_->adopted());
        EXPECT_EQ(plane_->sessions().capacity_v4(), size / 128 * 128);
        EXPECT_EQ(plane_->sessions().capacity_v6(), size / 64 * 64);
        EXPECT_EQ(intact_sessions(1000), 2000U) << size;
        EXPECT_NE(program_on("r0"), 0U);
        EXPECT_EQ(program_on("r0") != before, resized) << "no packet may use the old table";
        expect_whole();
    }
    remove_veth("r0");
}

TEST_F(StateTest, ATakeoverThatDiedBeforeTheNewSetStoodIsForgotten) {
    open();
    put_sessions(100);
    std::filesystem::create_directory(pin("maps_next"));
    const int fd = bpf_obj_get(pin("maps/vips").c_str());
    ASSERT_EQ(bpf_obj_pin(fd, pin("maps_next/vips").c_str()), 0);
    ::close(fd);
    open();
    EXPECT_EQ(intact_sessions(100), 200U);
    expect_whole();
}

TEST_F(StateTest, ATakeoverThatDiedBeforeTheLastSessionsIsFinished) {
    make_veth("r0");
    open();
    attach("r0");
    put_sessions(100);
    copy_pins(pin("maps"), pin("old"));
    options_.max_sessions *= 2;
    open();
    for (std::uint16_t port = 1; port <= 50; port++)
        ASSERT_TRUE(plane_->sessions().erase(session(port, false).key));
    std::filesystem::rename(pin("old"), pin("maps_next"));
    const std::uint32_t before = program_on("r0");
    open();
    EXPECT_EQ(intact_sessions(100), 200U);
    EXPECT_NE(program_on("r0"), before);
    expect_whole();
    remove_veth("r0");
}

TEST_F(StateTest, AnIncompleteSetIsMadeAnewWithoutTakingTheProgramOff) {
    make_veth("r0");
    for (const char* missing : {"backends", "settings", "sessions4", "services"}) {
        open();
        attach("r0");
        put_sessions(10);
        std::filesystem::remove(pin("maps/") + missing);
        open();
        EXPECT_FALSE(plane_->adopted()) << missing;
        EXPECT_TRUE(plane_->inherited()) << "the program goes by what is lost";
        EXPECT_EQ(intact_sessions(10), 0U) << "their backends are not known any more";
        EXPECT_NE(program_on("r0"), 0U);
        expect_whole();
        attach("r0");
        EXPECT_EQ(program_on("r0"), id_of_program(plane_->program_fd()));
    }
    remove_veth("r0");
}

TEST_F(StateTest, ALostCounterMapCostsNoSession) {
    open();
    put_sessions(10);
    std::filesystem::remove(pin("maps/drops"));
    open();
    EXPECT_TRUE(plane_->adopted());
    EXPECT_EQ(intact_sessions(10), 20U);
    expect_whole();
}

TEST_F(StateTest, AMapOfAnotherShapeIsNotUsed) {
    open();
    put_sessions(10);
    std::filesystem::remove(pin("maps/services"));
    const int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "services", 4, 64, 7, nullptr);
    ASSERT_EQ(bpf_obj_pin(fd, pin("maps/services").c_str()), 0);
    ::close(fd);
    open();
    EXPECT_FALSE(plane_->adopted());
    expect_whole();
}

TEST_F(StateTest, NotABpffs) {
    dataplane::Options options = options_;
    options.bpffs = plain_directory() + "/bascule";
    const auto opened = Dataplane::open(options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().text(),
              plain_directory() + " is not on a bpffs: mount -t bpf bpf /sys/fs/bpf");
}

TEST_F(StateTest, WithoutCapabilitiesItSaysWhichAreNeeded) {
    open();
    const pid_t child = ::fork();
    if (child == 0) {
        // The directory may be entered; what is missing then is the right to load programs.
        dataplane::Options options;
        options.bpffs = options_.bpffs;
        if (::chmod(options.bpffs.c_str(), 0755) != 0 || ::setuid(65534) != 0) ::_exit(10);
        const auto opened = Dataplane::open(options);
        if (opened) ::_exit(11);
        ::_exit(opened.error().text().find("CAP_BPF") != std::string::npos ? 0 : 12);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(StateTest, DeltasAnnouncedWithoutADaemonAreThereForTheNext) {
    open();
    const int fd = bpf_obj_get(pin("maps/delta_logs").c_str());
    const std::uint32_t cpu = 0;
    std::vector<bsc_delta_log> log(1);
    log[0].head = 2;
    log[0].entry[1].seconds = 77;
    ASSERT_EQ(bpf_map_update_elem(fd, &cpu, log.data(), BPF_ANY), 0);
    ::close(fd);
    open();
    std::vector<std::uint32_t> seen;
    plane_->deltas().drain(10, [&](const bsc_delta& delta) { seen.push_back(delta.seconds); });
    EXPECT_EQ(seen, (std::vector<std::uint32_t>{0, 77}));
}

TEST(KernelClock, TellsTheTickRate) {
    constexpr std::uint64_t ms = 1'000'000;
    EXPECT_EQ(dataplane::nearest_hz(12, 120 * ms), 100U);
    EXPECT_EQ(dataplane::nearest_hz(30, 120 * ms), 250U);
    EXPECT_EQ(dataplane::nearest_hz(36, 120 * ms), 300U);
    EXPECT_EQ(dataplane::nearest_hz(121, 120 * ms), 1000U);
    EXPECT_EQ(dataplane::nearest_hz(72, 120 * ms), 0U);
    EXPECT_EQ(dataplane::nearest_hz(0, 120 * ms), 0U);
    EXPECT_EQ(dataplane::nearest_hz(5, 0), 0U);
}

TEST(KernelClock, TwoLooksAgree) {
    const auto one = dataplane::KernelClock::open();
    ASSERT_TRUE(one) << one.error().text();
    const auto two = dataplane::KernelClock::open();
    ASSERT_TRUE(two);
    EXPECT_EQ(one->hz(), two->hz());
    const std::uint32_t before = one->seconds();
    const std::uint32_t between = two->seconds();
    const std::uint32_t after = one->seconds();
    EXPECT_LE(before, between + 1);
    EXPECT_LE(between, after + 1);
}

}  // namespace
}  // namespace bascule::test
