// SPDX-License-Identifier: Apache-2.0
// The session table under contention by the real program: four threads of packets, a writer and a
// reader in user space, all on the same few ways. A session's backend follows from its key, so
// every packet and every read tells whether key and value belong together.
//
// That it can find a fault is shown by a second program in the same tables, whose reader takes no
// second look at version and key (tests/support/mutate.cmake): the hammer has to notice.
#include "hammer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <stdexcept>
#include <thread>

#include "base/descriptor.h"
#include "bpf/session_table.h"
#include "cpu.h"
#include "crowd.h"
#include "dataplane/kernel_clock.h"
#include "hammer.skel.h"
#include "mutant.skel.h"
#include "scene.h"
#include "support/session_checker.h"
#include "world.h"

// Placement alone is used of the header here; nobody has to make room.
BSC_INLINE __u32 bsc_weigh(const void* limits, __u64 b, __u32 now) {
    (void)limits;
    return bsc_weight(b, now, 0);
}

namespace bascule::test {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::uint8_t backends = 100;
constexpr std::uint32_t rounds = 20000;  // of one run

void check(bool good, const std::string& what) {
    if (!good) throw std::runtime_error(what + ": " + std::strerror(errno));
}

std::string map_path(const Engine& engine, const std::string& map) {
    return engine.bpffs() + "/v" + std::to_string(BSC_LAYOUT_VERSION) + "/maps/" + map;
}

bsc_settings settings_of(const Engine& engine) {
    const Descriptor fd(bpf_obj_get(map_path(engine, "settings").c_str()));
    check(static_cast<bool>(fd), "open the settings");
    const std::uint32_t zero = 0;
    bsc_settings settings{};
    check(bpf_map_lookup_elem(fd.get(), &zero, &settings) == 0, "read the settings");
    return settings;
}

// A table of one page, and a service with many backends.
std::unique_ptr<Engine> open_small(const Family& family) {
    auto engine = Engine::open("hammer", 1);
    if (!engine) throw std::runtime_error(engine.error().text());
    model::Desired desired;
    desired.vips.push_back({family.vip});
    model::DesiredService wanted = service(family, model::Protocol::tcp);
    wanted.backends.clear();
    for (std::uint8_t number = 1; number <= backends; number++)
        wanted.backends.push_back(backend(family, number));
    wanted.ring_size = 10007;
    desired.services.push_back(wanted);
    if (auto done = (*engine)->want(desired); !done) throw std::runtime_error(done.error().text());
    return std::move(*engine);
}

dataplane::SessionKey key_of(const Family& family, const hammer_flow& flow, std::uint16_t slot) {
    Address::Bytes bytes = family.client.bytes();
    std::memcpy(bytes.data() + 12, &flow.be_source, sizeof(flow.be_source));
    return {Address(bytes), __builtin_bswap16(flow.be_port), web, slot};
}

// The set where the flow stands first, and the other one.
bsc_place place_of(const bsc_settings& settings, const dataplane::SessionKey& key) {
    const std::uint64_t be_ports = __builtin_bswap16(key.source_port) |
                                   static_cast<std::uint64_t>(__builtin_bswap16(web)) << 16;
    __u64 words[BSC_KEY_WORDS_V6] = {};
    const bool v4 = key.source.is_v4();
    if (v4) {
        words[0] = key.source.v4_wire() | be_ports << 32;
    } else {
        std::memcpy(words, key.source.bytes().data(), 16);
        words[2] = be_ports;
    }
    const std::uint64_t hash =
        bsc_place_hash(words, v4 ? BSC_KEY_WORDS_V4 : BSC_KEY_WORDS_V6, key.service,
                       settings.table_key[0], settings.table_key[1]);
    return v4 ? bsc_place_of(hash, settings.pages4, BSC_SETS_PER_PAGE_V4)
              : bsc_place_of(hash, settings.pages6, BSC_SETS_PER_PAGE_V6);
}

class Hammer {
public:
    explicit Hammer(const Family& family)
        : family_(family),
          engine_(open_small(family)),
          settings_(settings_of(*engine_)),
          slot_(engine_->service_slot(web_key(family))),
          checker_([this](const dataplane::SessionKey& key) { return backend_of(key); }),
          object_(hammer_bpf__open_and_load()) {
        check(object_ != nullptr, "load the hammer");
        choose_flows();
        const std::uint32_t zero = 0;
        check(bpf_map_update_elem(bpf_map__fd(object_->maps.plans), &zero, &plan_, BPF_ANY) == 0,
              "set the hammer's flows");
    }
    ~Hammer() { hammer_bpf__destroy(object_); }
    Hammer(const Hammer&) = delete;
    Hammer& operator=(const Hammer&) = delete;

    // Until the time is over, or sooner when a mismatch was found.
    void run(int program, Clock::duration duration) {
        const std::uint32_t zero = 0;
        check(bpf_map_update_elem(bpf_map__fd(object_->maps.under_test), &zero, &program,
                                  BPF_ANY) == 0,
              "put the program behind the hammer");
        until_ = Clock::now() + duration;
        over_ = false;
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; i++)
            threads.emplace_back([this] { send_packets(); });
        threads.emplace_back([this] { write_sessions(); });
        threads.emplace_back([this] { read_sessions(); });
        for (const int cpu : usable_cpus())
            threads.emplace_back([this, cpu] { interrupt(cpu); });
        for (std::thread& thread : threads)
            thread.join();
    }

    hammer_tally tally() const {
        const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
        std::vector<hammer_tally> each(cpus);
        const std::uint32_t zero = 0;
        check(bpf_map_lookup_elem(bpf_map__fd(object_->maps.tallies), &zero, each.data()) == 0,
              "read the hammer's tally");
        hammer_tally sum{};
        for (const hammer_tally& one : each) {
            sum.sent += one.sent;
            sum.not_sent += one.not_sent;
            sum.mismatches += one.mismatches;
            if (one.mismatches == 0) continue;
            sum.wrong_flow = one.wrong_flow;
            sum.wrong_backend = one.wrong_backend;
        }
        return sum;
    }
    const SessionChecker& reads() const { return checker_; }
    Engine& engine() { return *engine_; }
    const bsc_settings& settings() const { return settings_; }
    std::string describe(const hammer_tally& tally) const {
        const hammer_flow& flow = plan_.flow[tally.wrong_flow % HAMMER_FLOWS];
        return key_of(family_, flow, slot_).source.to_string() + ':' +
               std::to_string(__builtin_bswap16(flow.be_port)) + " was sent to backend " +
               std::to_string(tally.wrong_backend) + " instead of " + std::to_string(flow.backend);
    }

private:
    // Flows that all have one of two sets first, so that they are in each other's way; and the
    // backend that the ring gives each, learnt from packets that leave no session.
    void choose_flows() {
        const Bytes frame = crowd_packet(family_, syn);
        std::memcpy(plan_.frame, frame.data(), sizeof(plan_.frame));
        plan_.ipv6 = !family_.vip.is_v4();
        std::size_t chosen = 0;
        for (std::uint32_t i = 0; chosen < HAMMER_FLOWS && i < 10'000'000; i++) {
            const hammer_flow flow{__builtin_bswap32(0x0b000000 + i / 50000),
                                   static_cast<std::uint16_t>(1024 + i % 50000), 0, 0};
            const bsc_place place = place_of(settings_, key_of(family_, flow, slot_));
            if (place.first + place.second == 1) plan_.flow[chosen++] = flow;
        }
        check(chosen == HAMMER_FLOWS, "find flows for one place");
        for (hammer_flow& flow : plan_.flow)
            learn(flow);
        check(engine_->sessions().empty(), "learn without sessions");
    }

    void learn(hammer_flow& flow) {
        const dataplane::SessionKey key = key_of(family_, flow, slot_);
        const Outcome outcome = engine_->run(
            Frame().ip(key.source, family_.vip).tcp({.source = key.source_port, .flags = rst}));
        check(outcome.verdict == Verdict::tx, "learn a flow's backend");
        flow.backend = outcome.frame[HAMMER_BACKEND];
        const Mac mac = destination_of(outcome.frame);
        for (const auto& [slot, entry] : engine_->dataplane().tables().backends)
            if (entry.next_hop && entry.next_hop->mac == mac)
                expected_[key] = {slot, entry.generation};
    }

    std::uint16_t backend_of(const dataplane::SessionKey& key) const {
        const auto found = expected_.find(key);
        return found == expected_.end() ? std::uint16_t{0} : found->second.first;
    }

    bool goes_on() {
        if (Clock::now() >= until_ || tally().mismatches != 0 || checker_.mismatches() != 0)
            over_ = true;
        return !over_;
    }

    void send_packets() {
        const int program = bpf_program__fd(object_->progs.hammer);
        while (goes_on())
            if (auto run = run_program(program, Bytes(HAMMER_FRAME), rounds); !run) {
                ADD_FAILURE() << run.error().text();
                over_ = true;
            }
    }

    // A reader that is interrupted between its two looks gives the others time to change the way
    // under it. The kernel's tick alone does that a few hundred times a second; this, thousands.
    void interrupt(int cpu) {
        pin_to(cpu);
        (void)::prctl(PR_SET_TIMERSLACK, 1);  // nanoseconds; less often if refused
        while (!over_)
            std::this_thread::sleep_for(10us);
    }

    void write_sessions() {
        std::mt19937 random(1);
        dataplane::SessionTable& table = engine_->dataplane().sessions();
        while (goes_on()) {
            for (int i = 0; i < 1000; i++) {
                const auto& [key, target] =
                    *std::next(expected_.begin(), static_cast<long>(random() % expected_.size()));
                dataplane::Session session;
                session.key = key;
                session.state = random() % 4 == 0 ? BSC_ESTABLISHED : BSC_EMBRYONIC;
                session.backend = target.first;
                session.generation = target.second;
                if (random() % 3 == 0)
                    table.put(session);
                else
                    table.erase(key);
            }
        }
    }

    void read_sessions() {
        std::mt19937 random(2);
        dataplane::SessionTable& table = engine_->dataplane().sessions();
        while (goes_on()) {
            for (int i = 0; i < 1000; i++) {
                const auto& [key, target] =
                    *std::next(expected_.begin(), static_cast<long>(random() % expected_.size()));
                if (const auto session = table.find(key)) checker_.look(*session);
            }
            table.for_each([this](const dataplane::Session& session) {
                checker_.look(session);
                return true;
            });
        }
    }

    const Family& family_;
    std::unique_ptr<Engine> engine_;
    bsc_settings settings_;
    std::uint16_t slot_;
    std::map<dataplane::SessionKey, std::pair<std::uint16_t, std::uint8_t>> expected_;
    SessionChecker checker_;
    hammer_bpf* object_;
    hammer_plan plan_{};
    Clock::time_point until_;
    std::atomic<bool> over_ = false;
};

// The program with the fault, in the tables of an engine.
class Mutant {
public:
    explicit Mutant(const Hammer& hammer, const Engine& engine) : object_(mutant_bpf__open()) {
        check(object_ != nullptr, "open the mutant");
        set_constants(hammer.settings());
        bpf_map* map = nullptr;
        bpf_object__for_each_map(map, object_->obj) {
            if (bpf_map__is_internal(map)) continue;
            const Descriptor fd(bpf_obj_get(map_path(engine, bpf_map__name(map)).c_str()));
            check(static_cast<bool>(fd) && bpf_map__reuse_fd(map, fd.get()) == 0,
                  std::string("use the map ") + bpf_map__name(map));
        }
        check(mutant_bpf__load(object_) == 0, "load the mutant");
    }
    ~Mutant() { mutant_bpf__destroy(object_); }
    Mutant(const Mutant&) = delete;
    Mutant& operator=(const Mutant&) = delete;

    int fd() const { return bpf_program__fd(object_->progs.director); }

private:
    void set_constants(const bsc_settings& settings) {
        auto clock = dataplane::KernelClock::open();
        if (!clock) throw std::runtime_error(clock.error().text());
        auto& rodata = *object_->rodata;
        // libbpf's own copy, written before the program is loaded; constants only to the program.
        const auto set = [](const volatile auto& constant, auto value) {
            const_cast<std::remove_cvref_t<decltype(constant)>&>(constant) = value;
        };
        for (std::size_t i = 0; i < 2; i++) {
            set(rodata.ring_key[i], Engine::ring_key[i]);
            set(rodata.table_key[i], settings.table_key[i]);
        }
        set(rodata.pages4, settings.pages4);
        set(rodata.pages6, settings.pages6);
        set(rodata.port_index, 0U);
        set(rodata.clock_multiplier, clock->multiplier());
    }

    mutant_bpf* object_;
};

Clock::duration duration() {
    const char* longer = std::getenv("BASCULE_LONG");
    return longer != nullptr && *longer == '1' ? 60s : 5s;
}

class SessionHammer : public ::testing::TestWithParam<Family> {};

INSTANTIATE_TEST_SUITE_P(Families, SessionHammer, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(SessionHammer, KeysKeepTheirValues) {
    Hammer hammer(GetParam());
    hammer.run(hammer.engine().dataplane().program_fd(), duration());
    const hammer_tally tally = hammer.tally();
    std::cout << tally.sent << " packets, " << hammer.reads().seen() << " reads, "
              << ::testing::PrintToString(hammer.engine().counted()) << '\n';
    EXPECT_EQ(tally.mismatches, 0U) << hammer.describe(tally);
    EXPECT_EQ(tally.not_sent, 0U);
    EXPECT_EQ(hammer.reads().mismatches(), 0U) << hammer.reads().first_mismatch();
    EXPECT_GT(tally.sent, 100'000U);
    EXPECT_GT(hammer.reads().seen(), 1'000U);
}

TEST_P(SessionHammer, FindsTheFaultOfAReaderWithoutASecondLook) {
    Hammer hammer(GetParam());
    const Mutant mutant(hammer, hammer.engine());
    const auto begin = Clock::now();
    hammer.run(mutant.fd(), 120s);
    const hammer_tally tally = hammer.tally();
    std::cout << tally.mismatches << " mismatches in " << tally.sent << " packets after "
              << std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count()
              << " ms: " << hammer.describe(tally) << '\n';
    EXPECT_GT(tally.mismatches, 0U);
}

}  // namespace

}  // namespace bascule::test
