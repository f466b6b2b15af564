// SPDX-License-Identifier: Apache-2.0
// What a trace says is what then really happens, for packets of all kinds in random order; and
// nothing that a live packet could meet is changed by it.
#include "dataplane/trace.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <map>
#include <set>

#include "checksum.h"
#include "delivery.h"
#include "variety.h"

namespace bascule::test {
namespace {

constexpr int packets = 500;

// ---- what can be seen from outside ----

// Everything in a map, by key; of per-CPU maps all copies.
std::map<Bytes, Bytes> contents(int map) {
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    EXPECT_EQ(bpf_obj_get_info_by_fd(map, &info, &size), 0);
    const bool per_cpu = info.type == BPF_MAP_TYPE_PERCPU_ARRAY;
    const auto cpus = static_cast<std::size_t>(per_cpu ? libbpf_num_possible_cpus() : 1);
    const std::size_t bytes = per_cpu ? (info.value_size + 7) / 8 * 8 * cpus : info.value_size;
    std::map<Bytes, Bytes> all;
    Bytes key(info.key_size), next(info.key_size), value(bytes);
    for (bool first = true;
         bpf_map_get_next_key(map, first ? nullptr : key.data(), next.data()) == 0; first = false) {
        key = next;
        if (bpf_map_lookup_elem(map, key.data(), value.data()) == 0) all[key] = value;
    }
    return all;
}

// Whatever a live packet could meet, or an operator could count.
struct World {
    std::vector<dataplane::Session> sessions;
    std::map<std::string, std::map<Bytes, Bytes>> maps;
};

bool operator==(const World& one, const World& other) {
    const auto same = [](dataplane::Session a, dataplane::Session b) {
        a.idle = b.idle = 0;  // time goes on
        return a == b;
    };
    return one.maps == other.maps && std::equal(one.sessions.begin(), one.sessions.end(),
                                                other.sessions.begin(), other.sessions.end(), same);
}

World look_at(Engine& engine) {
    World world;
    world.sessions = engine.sessions();
    for (const char* name : {"fragments", "icmp_budget", "drops", "events", "service_traffic"})
        world.maps[name] = contents(engine.dataplane().map_fd(name));
    return world;
}

// The outer IPv4 id of a tunnel is drawn for each packet that may be fragmented; and its checksum
// goes with it.
Bytes without_outer_id(Bytes frame) {
    const Tagged at = tagging_of(frame);
    if (at.ethertype != 0x0800 || frame.size() < at.l3 + 28) return frame;
    const std::uint8_t protocol = frame[at.l3 + 9];
    const bool is_tunnel =
        protocol == 4 || protocol == 41 || (protocol == 17 && get16(frame, at.l3 + 22) == 6080);
    if (!is_tunnel) return frame;
    put16(frame, at.l3 + 4, 0);
    put16(frame, at.l3 + 10, 0);
    return frame;
}

class Trace : public Delivery {
protected:
    void SetUp() override {
        Scene::SetUp();
        want(all_offers());
    }

    dataplane::Traced trace(const Bytes& frame) {
        auto traced = dataplane::trace(engine().dataplane(), first_interface, frame);
        if (!traced) throw std::runtime_error(traced.error().text());
        return *traced;
    }

    // Slots whose backends were sent a packet since the last call.
    std::set<std::uint16_t> served() {
        std::set<std::uint16_t> slots;
        for (const auto& [slot, backend] : engine().dataplane().tables().backends) {
            const auto count = engine().dataplane().backend_traffic(slot).packets;
            if (count != traffic_[slot]) slots.insert(slot);
            traffic_[slot] = count;
        }
        return slots;
    }

    void expect_prediction(const Bytes& frame);

    // How many ended how, so that a test of nothing does not pass.
    std::map<std::string, int> ends_;

private:
    std::map<std::uint16_t, std::uint64_t> traffic_;
};

void Trace::expect_prediction(const Bytes& frame) {
    const dataplane::Traced predicted = trace(frame);
    served();
    engine().counted();
    const Outcome live = engine().run(frame);
    ASSERT_EQ(static_cast<std::uint32_t>(live.verdict),
              static_cast<std::uint32_t>(predicted.verdict))
        << hex(frame);
    EXPECT_EQ(hex(without_outer_id(live.frame)), hex(without_outer_id(predicted.frame)))
        << hex(frame);

    const Counts counts = engine().counted();
    std::set<std::string> drops;
    for (const auto& drop : engine().dataplane().drops())
        if (counts.contains(drop.name)) drops.insert(drop.name);
    const auto& notes = predicted.notes;
    EXPECT_EQ(drops, notes.drop ? std::set<std::string>{notes.drop->name} : std::set<std::string>{})
        << hex(frame);
    for (const auto& event : notes.event_words())
        EXPECT_TRUE(counts.contains(event.name)) << event.name << " for " << hex(frame);

    const bool is_delivered = !notes.drop && notes.backend != 0;
    EXPECT_EQ(served(),
              is_delivered ? std::set<std::uint16_t>{notes.backend} : std::set<std::uint16_t>{})
        << hex(frame);
    ends_[notes.drop     ? notes.drop->name
          : is_delivered ? std::string("delivered by ") + std::to_string(notes.forward)
                         : dataplane::name_of(predicted.verdict)]++;
}

TEST_F(Trace, PredictsWhatThenHappensToRandomPackets) {
    Dice dice(20261122);
    for (int i = 0; i < packets; i++) {
        SCOPED_TRACE(i);
        // Each may be answered: how many more there may be this second is a matter of the clock.
        const bsc_icmp_budget spent{};
        std::vector<bsc_icmp_budget> none(static_cast<std::size_t>(libbpf_num_possible_cpus()),
                                          spent);
        const std::uint32_t zero = 0;
        bpf_map_update_elem(engine().dataplane().map_fd("icmp_budget"), &zero, none.data(),
                            BPF_ANY);
        expect_prediction(random_packet(dice));
        if (HasFatalFailure()) return;
    }
    // All kinds of ends were met.
    for (const char* end : {"delivered by 0", "delivered by 1", "delivered by 2", "delivered by 3",
                            "pass", "no_backend", "refused", "unknown_session", "tcp_flags",
                            "martian_source", "fragment", "not_held", "too_big", "icmp_inner"})
        EXPECT_GT(ends_[end], 0) << end;
}

TEST_F(Trace, LeavesNothingBehind) {
    Dice dice(7);
    for (int i = 0; i < 60; i++) {
        SCOPED_TRACE(i);
        const Bytes frame = random_packet(dice);
        engine().run(frame);  // something to be met
        engine().deltas();
        const World before = look_at(engine());
        trace(random_packet(dice));
        trace(frame);
        EXPECT_TRUE(look_at(engine()) == before) << hex(frame);
        EXPECT_TRUE(engine().deltas().empty());
    }
}

// Else the test before this one could not fail.
TEST_F(Trace, AWorldDiffersAfterALivePacket) {
    const World before = look_at(engine());
    engine().run(tcp_packet(ipv4_family(), syn));
    EXPECT_FALSE(look_at(engine()) == before);
}

TEST_F(Trace, TellsTheSessionThatDecides) {
    const Bytes packet = tcp_packet(ipv4_family(), syn);
    const auto before = trace(packet).notes;
    EXPECT_FALSE(before.session);
    EXPECT_TRUE(before.has(BSC_STEP_PICKED));
    ASSERT_TRUE(before.ring_slot);
    EXPECT_LT(*before.ring_slot, before.ring_size);
    EXPECT_TRUE(before.has(BSC_STEP_SERVICE));
    EXPECT_FALSE(before.has(BSC_STEP_SERVICE_RANGE));

    engine().run(packet);
    const auto after = trace(tcp_packet(ipv4_family(), ack, 1001)).notes;
    ASSERT_TRUE(after.session);
    EXPECT_EQ(after.session->state, BSC_EMBRYONIC);
    EXPECT_EQ(after.session->backend, before.backend);
    EXPECT_EQ(after.backend, before.backend);
    EXPECT_FALSE(after.ring_slot);
}

TEST_F(Trace, RefusesWhatItCannotRun) {
    const auto cramped = dataplane::trace(engine().dataplane(), first_interface, Bytes(13));
    ASSERT_FALSE(cramped);
    EXPECT_NE(cramped.error().text().find("13 bytes"), std::string::npos);
    EXPECT_FALSE(dataplane::trace(engine().dataplane(), first_interface, Bytes(3401)));
    EXPECT_TRUE(dataplane::trace(engine().dataplane(), first_interface, Bytes(3400)));
    const auto nowhere = dataplane::trace(engine().dataplane(), "none0", Bytes(64));
    ASSERT_FALSE(nowhere);
    EXPECT_NE(nowhere.error().text().find("none0"), std::string::npos);
}

}  // namespace
}  // namespace bascule::test
