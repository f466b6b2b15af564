// SPDX-License-Identifier: Apache-2.0
// Plans into real maps and back, whatever happened in between.
#include <bpf/bpf.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "bpf/lookup.h"
#include "dataplane/config_memory.h"
#include "fixture.h"
#include "model/plan.h"
#include "model/port_prefix.h"

namespace bascule::test {
namespace {

using model::Desired;
using model::DesiredService;
using model::Tables;

Address address(const std::string& text) {
    return *Address::parse(text);
}

// By the loopback interface, which every namespace has.
model::NextHop hop(std::uint32_t ifindex) {
    return {*Mac::parse("02:11:22:33:44:55"), ifindex, 0, *Mac::parse("02:11:22:33:44:66"), 1500};
}

model::DesiredBackend backend(const std::string& at, std::uint32_t weight = 100, bool up = true,
                              bool resolved = true) {
    model::DesiredBackend made;
    made.key = {address(at), 80};
    made.weight = weight;
    made.up = up;
    if (resolved) made.next_hop = hop(1);
    return made;
}

DesiredService service(const std::string& vip, std::uint16_t port,
                       model::Protocol protocol = model::Protocol::tcp) {
    DesiredService made;
    made.key = {address(vip), {port, port}, protocol};
    made.options.limits = {model::Seconds(61), model::Seconds(3601), model::Seconds(31)};
    made.ring_size = 251;
    return made;
}

Desired some_services() {
    Desired desired;
    desired.vips = {
        {address("10.9.0.100")}, {address("2001:db8::100"), false}, {address("10.9.0.101")}};
    DesiredService web = service("10.9.0.100", 80);
    web.backends = {backend("10.9.0.21"), backend("10.9.0.22", 0), backend("10.9.0.23", 100, false),
                    backend("10.9.0.24", 100, true, false)};
    web.options.unknown = model::Unknown::drop;
    DesiredService dns = service("2001:db8::100", 53, model::Protocol::udp);
    dns.backends = {backend("2001:db8::21"), backend("2001:db8::22", 50)};
    dns.options.affinity = model::Affinity::source;
    web.options.on_empty = model::OnEmpty::reset;
    web.options.mss_clamp = 1400;
    dns.options.copy_dscp = false;
    DesiredService range = service("10.9.0.100", 8001);
    range.key.ports.last = 8099;
    range.backends = {backend("10.9.0.31"), backend("2001:db8::31"), backend("10.9.0.100")};
    range.backends[0].next_hop = model::NextHop{*Mac::parse("02:00:00:00:00:07"), 1, 4094,
                                                *Mac::parse("02:00:00:00:00:08"), 9000};
    range.backends[0].delivery = {model::Forward::gue, 0, 6080, address("198.18.0.0"), 16};
    range.backends[1].delivery = {model::Forward::ipip, 8080, 0, address("2001:db8:f::"), 32};
    range.backends[2].delivery = {model::Forward::local, 65535, 0, {}, 0};
    range.backends[2].next_hop = model::NextHop{{}, 0, 0, {}, 0};
    DesiredService inside = service("10.9.0.100", 8001);
    DesiredService any = service("2001:db8::100", 0, model::Protocol::udp);
    any.key.ports.last = 65535;
    desired.services = {web, dns, range, inside, any, service("10.9.0.101", 443)};
    return desired;
}

Desired other_services() {
    Desired desired = some_services();
    desired.vips.pop_back();
    desired.services.pop_back();
    desired.services[0].backends.erase(desired.services[0].backends.begin());
    desired.services[0].backends[0].weight = 10;
    desired.services[0].options.limits.established = model::Seconds(5);
    desired.services[0].options.on_empty = model::OnEmpty::drop;
    desired.services[1].key.ports = {5353, 5353};
    desired.vips[0].held = false;
    desired.services[2].backends[0].delivery.forward = model::Forward::ipip;
    desired.services[2].backends[0].delivery.gue_port = 0;
    desired.services[2].backends[1].delivery = {};
    desired.services.erase(desired.services.begin() + 3);
    return desired;
}

// What tables say without slots: nothing in it depends on the way they were reached.
struct Meaning {
    std::map<model::ServiceKey, std::pair<model::TableService, std::map<model::BackendKey, int>>>
        services;
    std::set<std::pair<model::ServiceKey, model::BackendKey>> backends;
    std::set<std::pair<Address, bool>> vips;
    bool operator==(const Meaning&) const = default;
};

Meaning meaning_of(const Tables& tables) {
    Meaning meaning;
    for (const auto& [slot, entry] : tables.services) {
        auto& [service, ring] = meaning.services[entry.key];
        service = entry;
        if (tables.rings.contains(slot))
            for (const std::uint16_t in_ring : tables.rings.at(slot))
                ring[tables.backends.at(in_ring).key]++;
    }
    for (const auto& [slot, entry] : tables.backends)
        meaning.backends.emplace(tables.services.at(entry.service).key, entry.key);
    for (const auto& [id, vip] : tables.vips)
        meaning.vips.emplace(vip.address, vip.held);
    return meaning;
}

class TablesTest : public DataplaneTest {
protected:
    model::Plan plan_for(const Desired& desired) {
        auto plan = model::plan(plane_->tables(), desired);
        EXPECT_TRUE(plan) << plan.error().text();
        return *plan;
    }
    void want(const Desired& desired) {
        const model::Plan plan = plan_for(desired);
        const auto applied = plane_->apply(plan);
        ASSERT_TRUE(applied) << applied.error().text();
        ASSERT_EQ(plane_->tables(), plan.after);
    }
    // As a packet finds it: its own port, then the prefix lengths of the VIP, longest first.
    std::optional<model::ServiceKey> found(const std::string& vip, std::uint16_t port,
                                           model::Protocol protocol = model::Protocol::tcp) const {
        const Address address = *Address::parse(vip);
        const auto& vips = plane_->tables().vips;
        const auto standing = std::find_if(vips.begin(), vips.end(), [&](const auto& entry) {
            return entry.second.address == address;
        });
        const std::uint64_t lengths =
            vip_state(standing->first) >> (protocol == model::Protocol::udp ? 16U : 0U);
        for (int length = 16; length >= 0; length--) {
            if (length < 16 && (lengths >> length & 1) == 0) continue;
            const auto slot =
                word_slot(standing->first, address, port, static_cast<unsigned>(length), protocol);
            if (slot) return plane_->tables().services.at(*slot).key;
        }
        return std::nullopt;
    }
    std::uint64_t vip_state(std::uint16_t id) const {
        const int fd = bpf_obj_get(pin("maps/vip_states").c_str());
        const std::uint32_t key = id;
        std::uint64_t state = 0;
        EXPECT_EQ(bpf_map_lookup_elem(fd, &key, &state), 0);
        ::close(fd);
        return state;
    }
    std::optional<std::uint16_t> word_slot(std::uint16_t id, const Address& vip, unsigned port,
                                           unsigned length, model::Protocol protocol) const {
        const std::uint64_t key =
            bsc_service_key(vip.is_v4() ? vip.v4_wire() : id, bsc_port_code(port, length),
                            protocol == model::Protocol::udp, !vip.is_v4());
        const std::uint32_t at = bsc_service_bucket_of(key);
        bsc_service_bucket bucket{};
        const int fd = bpf_obj_get(pin("maps/service_words").c_str());
        EXPECT_EQ(bpf_map_lookup_elem(fd, &at, &bucket), 0);
        ::close(fd);
        for (const std::uint64_t word : bucket.word)
            if ((word & BSC_SERVICE_WORD_KEY_MASK) == key)
                return static_cast<std::uint16_t>(word >> BSC_SERVICE_WORD_SLOT_SHIFT);
        return std::nullopt;
    }
    // Every word as "key: slot", and nothing twice.
    std::map<std::uint64_t, std::uint64_t> words() const {
        std::map<std::uint64_t, std::uint64_t> words;
        const int fd = bpf_obj_get(pin("maps/service_words").c_str());
        for (std::uint32_t i = 0; i < BSC_SERVICE_BUCKETS; i++) {
            bsc_service_bucket bucket{};
            EXPECT_EQ(bpf_map_lookup_elem(fd, &i, &bucket), 0);
            for (const std::uint64_t word : bucket.word) {
                if (word == 0) continue;
                EXPECT_TRUE(words
                                .emplace(word & BSC_SERVICE_WORD_KEY_MASK,
                                         word >> BSC_SERVICE_WORD_SLOT_SHIFT)
                                .second);
            }
        }
        ::close(fd);
        return words;
    }
    // The words and lengths that the services in the tables ask for, and no others.
    void expect_published() const {
        std::map<std::uint64_t, std::uint64_t> expected;
        std::map<std::uint16_t, std::uint64_t> states;
        const auto& tables = plane_->tables();
        for (const auto& [id, vip] : tables.vips)
            states[id] = vip.held ? BSC_VIP_HELD : 0;
        for (const bool single : {false, true})
            for (const auto& [slot, service] : tables.services) {
                if (service.key.ports.is_single() != single) continue;
                const auto vip = std::find_if(
                    tables.vips.begin(), tables.vips.end(),
                    [&](const auto& entry) { return entry.second.address == service.key.vip; });
                const bool udp = service.key.protocol == model::Protocol::udp;
                const bool v4 = service.key.vip.is_v4();
                for (const auto& prefix : model::prefixes_of(service.key.ports)) {
                    expected[bsc_service_key(v4 ? service.key.vip.v4_wire() : vip->first,
                                             bsc_port_code(prefix.port, prefix.length), udp, !v4)] =
                        slot;
                    if (prefix.length < 16)
                        states[vip->first] |= 1ULL << (prefix.length + (udp ? 16 : 0));
                }
            }
        EXPECT_EQ(words(), expected);
        for (std::uint16_t id = 0; id < BSC_VIP_STATES; id++)
            EXPECT_EQ(vip_state(id), states.contains(id) ? states[id] : 0) << "VIP id " << id;
    }
    void remove_word(std::uint64_t key) const {
        const std::uint32_t at = bsc_service_bucket_of(key);
        bsc_service_bucket bucket{};
        const int fd = bpf_obj_get(pin("maps/service_words").c_str());
        ASSERT_EQ(bpf_map_lookup_elem(fd, &at, &bucket), 0);
        bsc_service_bucket kept{};
        std::copy_if(std::begin(bucket.word), std::end(bucket.word), std::begin(kept.word),
                     [&](std::uint64_t word) { return (word & BSC_SERVICE_WORD_KEY_MASK) != key; });
        ASSERT_EQ(bpf_map_update_elem(fd, &at, &kept, BPF_ANY), 0);
        ::close(fd);
    }
    std::set<std::uint32_t> egress() const {
        std::set<std::uint32_t> found;
        const int fd = bpf_obj_get(pin("maps/egress").c_str());
        std::uint32_t key = 0;
        for (std::uint32_t* before = nullptr; bpf_map_get_next_key(fd, before, &key) == 0;
             before = &key)
            found.insert(key);
        ::close(fd);
        return found;
    }
    void expect_read_back() {
        const Tables before = plane_->tables();
        EXPECT_TRUE(open().adopted());
        EXPECT_EQ(plane_->tables(), before);
    }
};

TEST_F(TablesTest, EmptyAtFirst) {
    EXPECT_FALSE(open().adopted());
    EXPECT_EQ(plane_->tables(), Tables{});
}

TEST_F(TablesTest, ReadBackWhatWasApplied) {
    open();
    want(some_services());
    ASSERT_EQ(plane_->tables().rings.size(), 3U);
    ASSERT_EQ(plane_->tables().backends.size(), 9U);
    expect_read_back();
    expect_published();
    want(other_services());
    expect_published();
    ASSERT_FALSE(plane_->tables().retired_generations.empty());
    expect_read_back();
    want({});
    expect_read_back();
    expect_published();
    want(some_services());
    expect_read_back();
    expect_published();
    EXPECT_TRUE(plan_for(some_services()).writes.empty());
}

TEST_F(TablesTest, DefaultSizeRing) {
    open();
    Desired desired = some_services();
    desired.services[0].ring_size = BSC_RING_DEFAULT;
    want(desired);
    expect_read_back();
}

// A process may die after any write: the next one finds tables that a plan can complete, and what
// results is what an undisturbed one would have made.
TEST_F(TablesTest, CompletesWhatAnotherProcessLeftHalfDone) {
    open();
    want(some_services());
    const std::size_t steps = plan_for(other_services()).writes.size();
    want(other_services());
    const Meaning expected = meaning_of(plane_->tables());
    ASSERT_GT(steps, 8U);
    for (std::size_t step = 0; step <= steps; step++) {
        want({});
        want(some_services());
        model::Plan plan = plan_for(other_services());
        ASSERT_EQ(plan.writes.size(), steps);
        plan.writes.resize(step);
        ASSERT_TRUE(plane_->apply(plan));
        open();
        want(other_services());
        EXPECT_EQ(meaning_of(plane_->tables()), expected) << "after step " << step;
        SCOPED_TRACE("after step " + std::to_string(step));
        expect_published();
    }
}

TEST_F(TablesTest, AFailedWriteIsNamedAndTheRestIsTold) {
    open();
    // Nine services whose words share a bucket of eight.
    Desired desired;
    std::map<std::uint32_t, std::vector<std::uint16_t>> buckets;
    const Address vip = address("10.9.0.100");
    for (std::uint32_t port = 1; desired.services.empty(); port++) {
        ASSERT_LT(port, 65536U) << "no bucket has nine";
        auto& there = buckets[bsc_service_bucket_of(
            bsc_service_key(vip.v4_wire(), bsc_port_code(port, 16), 0, 0))];
        there.push_back(static_cast<std::uint16_t>(port));
        if (there.size() < 9) continue;
        for (const std::uint16_t one : there)
            desired.services.push_back(service("10.9.0.100", one));
    }
    const auto applied = plane_->apply(plan_for(desired));
    ASSERT_FALSE(applied);
    EXPECT_NE(applied.error().text().find("service 10.9.0.100:"), std::string::npos);
    EXPECT_NE(applied.error().text().find("of the service table is full"), std::string::npos)
        << applied.error().text();
    // What got no word does not stand. One less works, from what does stand; and a hole in the full
    // bucket is filled again.
    EXPECT_LT(plane_->tables().services.size(), 9U);
    const auto keys = desired.services;
    desired.services.erase(desired.services.begin() + 8);
    want(desired);
    expect_read_back();
    desired.services[2] = keys[8];
    want(desired);
    expect_read_back();
}

TEST_F(TablesTest, VipsThatShareABucketGoToTheNextOne) {
    open();
    std::map<std::uint32_t, std::vector<Address>> buckets;
    std::vector<Address> crowd;
    for (std::uint32_t i = 1; crowd.size() < 5; i++) {
        const Address vip = Address::v4_from_wire(htonl(0x0a000000 + i));
        const auto words = dataplane::words_of(vip);
        auto& there = buckets[bsc_vip_bucket_of(words.word[0], words.word[1])];
        there.push_back(vip);
        if (there.size() == 5) crowd = there;
    }
    Desired desired;
    for (std::size_t i = 0; i < 4; i++)
        desired.vips.push_back({crowd[i]});
    want(desired);
    expect_read_back();
    desired.vips.push_back({crowd[4]});
    const auto applied = plane_->apply(plan_for(desired));
    ASSERT_FALSE(applied);
    EXPECT_NE(applied.error().text().find("VIP " + crowd[4].to_string()), std::string::npos);
    desired.vips.erase(desired.vips.begin());
    want(desired);
    expect_read_back();
}

TEST_F(TablesTest, APortsOwnServiceComesBeforeARangeAndThatBeforeAny) {
    open();
    Desired desired;
    desired.vips = {{address("10.9.0.100")}};
    DesiredService single = service("10.9.0.100", 8001);
    DesiredService range = service("10.9.0.100", 8001);
    range.key.ports.last = 8004;
    DesiredService any = service("10.9.0.100", 0);
    any.key.ports.last = 65535;
    const auto ports_at = [&](std::uint16_t port) {
        const auto key = found("10.9.0.100", port);
        return key ? key->ports.to_string() : "none";
    };
    // In whatever order they come and go: 8001 is a word of the range, too.
    for (const auto& order : std::vector<std::vector<DesiredService>>{
             {single, range, any}, {any, range, single}, {range, single, any}}) {
        desired.services = order;
        want(desired);
        EXPECT_EQ(ports_at(8001), "8001");
        EXPECT_EQ(ports_at(8002), "8001-8004");
        EXPECT_EQ(ports_at(8004), "8001-8004");
        EXPECT_EQ(ports_at(8005), "any");
        EXPECT_EQ(ports_at(8000), "any");
        EXPECT_FALSE(found("10.9.0.100", 8002, model::Protocol::udp));
        desired.services = {range, any};
        want(desired);
        EXPECT_EQ(ports_at(8001), "8001-8004") << "back to the range";
        expect_published();
        desired.services = {single, any};
        want(desired);
        EXPECT_EQ(ports_at(8001), "8001");
        EXPECT_EQ(ports_at(8002), "any");
        expect_published();
        desired.services = {range};
        want(desired);
        EXPECT_EQ(ports_at(8001), "8001-8004");
        EXPECT_EQ(ports_at(8005), "none");
        desired.services = {single, range};
        want(desired);
        desired.services = {single};
        want(desired);
        EXPECT_EQ(ports_at(8001), "8001");
        EXPECT_EQ(ports_at(8002), "none");
        expect_published();
        want({});
    }
}

TEST_F(TablesTest, AHalfPublishedRangeIsTakenAwayAndMadeAgain) {
    open();
    want(some_services());
    Desired range;
    range.vips = {{address("10.9.0.100")}};
    range.services = {service("10.9.0.100", 8001)};
    range.services[0].key.ports.last = 8099;
    range.services[0].backends = {backend("10.9.0.31")};
    want(range);
    const std::map<std::uint64_t, std::uint64_t> all = words();
    ASSERT_GT(all.size(), 5U);
    for (const auto& [key, slot] : all) {
        remove_word(key);
        open();
        EXPECT_TRUE(plane_->tables().services.empty());
        EXPECT_TRUE(words().empty());
        EXPECT_EQ(vip_state(1) & ~BSC_VIP_HELD, 0U);
        want(range);
        expect_published();
    }
}

TEST_F(TablesTest, AVipIsHeldAndLostInPlace) {
    open();
    Desired desired = some_services();
    want(desired);
    const auto id = plane_->tables().vips.begin()->first;
    const std::uint64_t before = vip_state(id);
    EXPECT_NE(before & BSC_VIP_HELD, 0U);
    EXPECT_NE(before & BSC_VIP_LENGTHS_MASK, 0U);
    desired.vips[0].held = false;
    want(desired);
    EXPECT_EQ(vip_state(id), before & ~BSC_VIP_HELD);
    expect_read_back();
    desired.vips[0].held = true;
    want(desired);
    EXPECT_EQ(vip_state(id), before);
}

TEST_F(TablesTest, FramesMayGoOutWhereBackendsAre) {
    make_veth("out0");
    const std::uint32_t out = ::if_nametoindex("out0");
    open();
    Desired desired = some_services();
    want(desired);
    EXPECT_EQ(egress(), std::set<std::uint32_t>{1});
    desired.services[0].backends[0].next_hop = hop(out);
    want(desired);
    EXPECT_EQ(egress(), (std::set<std::uint32_t>{1, out}));
    open();
    EXPECT_EQ(egress(), (std::set<std::uint32_t>{1, out})) << "adopted";
    desired.services[0].backends[0].next_hop = hop(4242);
    want(desired);
    EXPECT_EQ(egress(), std::set<std::uint32_t>{1}) << "an interface that is not there is no error";
    want({});
    EXPECT_TRUE(egress().empty());
    remove_veth("out0");
}

TEST_F(TablesTest, MoreInterfacesThanTheDeviceMapHolds) {
    std::vector<std::uint32_t> indexes;
    for (int i = 0; i <= BSC_MAX_EGRESS / 2; i++) {
        make_veth("m" + std::to_string(i));
        indexes.push_back(::if_nametoindex(("m" + std::to_string(i)).c_str()));
        indexes.push_back(::if_nametoindex(("m" + std::to_string(i) + "p").c_str()));
    }
    open();
    Desired desired;
    DesiredService web = service("10.9.0.100", 80);
    web.ring_size = 8009;
    for (std::size_t i = 0; i < indexes.size(); i++) {
        web.backends.push_back(backend("10.9.1." + std::to_string(i)));
        web.backends.back().next_hop = hop(indexes[i]);
    }
    desired.services = {web};
    const auto refused = plane_->apply(plan_for(desired));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().text().find("backends are reached by more than 64 network "
                                          "interfaces"),
              std::string::npos)
        << refused.error().text();
    for (int i = 0; i <= BSC_MAX_EGRESS / 2; i++)
        remove_veth("m" + std::to_string(i));
}

TEST_F(TablesTest, AFreshSlotCountsFromZero) {
    open();
    want(some_services());
    const int fd = bpf_obj_get(pin("maps/service_traffic").c_str());
    const std::uint32_t slot = plane_->tables().services.begin()->first;
    std::vector<bsc_traffic> of_cpu(256, bsc_traffic{1, 10, 0});
    ASSERT_EQ(bpf_map_update_elem(fd, &slot, of_cpu.data(), BPF_ANY), 0);
    ::close(fd);
    const auto traffic = plane_->service_traffic(static_cast<std::uint16_t>(slot));
    EXPECT_GT(traffic.packets, 0U);
    EXPECT_EQ(traffic.bytes, traffic.packets * 10);
    open();
    EXPECT_EQ(plane_->service_traffic(static_cast<std::uint16_t>(slot)).packets, traffic.packets)
        << "counters survive";
    model::Plan again;
    again.writes = {model::SetService{static_cast<std::uint16_t>(slot),
                                      plane_->tables().services.begin()->second, true}};
    ASSERT_TRUE(plane_->apply(again));
    EXPECT_EQ(plane_->service_traffic(static_cast<std::uint16_t>(slot)).packets, 0U);
}

TEST_F(TablesTest, EveryReasonHasItsName) {
    open();
    ASSERT_EQ(plane_->drops().size(), std::size_t{BSC_DROP_REASON_COUNT});
    ASSERT_EQ(plane_->events().size(), std::size_t{BSC_EVENT_COUNT});
    EXPECT_STREQ(plane_->drops()[BSC_DROP_NO_BACKEND].name, "no_backend");
    EXPECT_STREQ(plane_->events()[BSC_EVENT_DELTA_LOST].name, "delta_lost");
}

}  // namespace
}  // namespace bascule::test
