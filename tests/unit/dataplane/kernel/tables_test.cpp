// SPDX-License-Identifier: Apache-2.0
// Plans into real maps and back, whatever happened in between.
#include <bpf/bpf.h>
#include <unistd.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "bpf/lookup.h"
#include "dataplane/config_memory.h"
#include "fixture.h"
#include "model/plan.h"

namespace bascule::test {
namespace {

using model::Desired;
using model::DesiredService;
using model::Tables;

Address address(const std::string& text) {
    return *Address::parse(text);
}

model::DesiredBackend backend(const std::string& at, std::uint32_t weight = 100, bool up = true,
                              bool resolved = true) {
    model::DesiredBackend made;
    made.key = {address(at), 80};
    made.weight = weight;
    made.up = up;
    if (resolved) made.next_hop = {*Mac::parse("02:11:22:33:44:55"), 7};
    return made;
}

DesiredService service(const std::string& vip, std::uint16_t port,
                       model::Protocol protocol = model::Protocol::tcp) {
    DesiredService made;
    made.key = {address(vip), port, protocol};
    made.limits = {model::Seconds(61), model::Seconds(3601), model::Seconds(31)};
    made.ring_size = 251;
    return made;
}

Desired some_services() {
    Desired desired;
    desired.vips = {address("10.9.0.100"), address("2001:db8::100"), address("10.9.0.101")};
    DesiredService web = service("10.9.0.100", 80);
    web.backends = {backend("10.9.0.21"), backend("10.9.0.22", 0), backend("10.9.0.23", 100, false),
                    backend("10.9.0.24", 100, true, false)};
    web.unknown = model::Unknown::drop;
    DesiredService dns = service("2001:db8::100", 53, model::Protocol::udp);
    dns.backends = {backend("2001:db8::21"), backend("2001:db8::22", 50)};
    dns.affinity = model::Affinity::source;
    desired.services = {web, dns, service("10.9.0.101", 443)};
    return desired;
}

Desired other_services() {
    Desired desired = some_services();
    desired.vips.pop_back();
    desired.services.pop_back();
    desired.services[0].backends.erase(desired.services[0].backends.begin());
    desired.services[0].backends[0].weight = 10;
    desired.services[0].limits.established = model::Seconds(5);
    desired.services[1].key.port = 5353;
    return desired;
}

// What tables say without slots: nothing in it depends on the way they were reached.
struct Meaning {
    std::map<model::ServiceKey, std::pair<model::TableService, std::map<model::BackendKey, int>>>
        services;
    std::set<std::pair<model::ServiceKey, model::BackendKey>> backends;
    std::set<Address> vips;
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
        meaning.vips.insert(vip);
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
    // Slots that packets can find; each as often as a word leads there.
    std::multiset<std::uint16_t> published() const {
        std::multiset<std::uint16_t> slots;
        const int fd = bpf_obj_get(pin("maps/service_words").c_str());
        for (std::uint32_t i = 0; i < BSC_SERVICE_BUCKETS; i++) {
            bsc_service_bucket bucket{};
            EXPECT_EQ(bpf_map_lookup_elem(fd, &i, &bucket), 0);
            for (const std::uint64_t word : bucket.word)
                if (word != 0)
                    slots.insert(static_cast<std::uint16_t>(word >> BSC_SERVICE_WORD_SLOT_SHIFT));
        }
        ::close(fd);
        return slots;
    }
    std::multiset<std::uint16_t> service_slots() const {
        std::multiset<std::uint16_t> slots;
        for (const auto& [slot, entry] : plane_->tables().services)
            slots.insert(slot);
        return slots;
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
    ASSERT_EQ(plane_->tables().rings.size(), 2U);
    ASSERT_EQ(plane_->tables().backends.size(), 6U);
    expect_read_back();
    want(other_services());
    ASSERT_FALSE(plane_->tables().retired_generations.empty());
    expect_read_back();
    want({});
    expect_read_back();
    want(some_services());
    expect_read_back();
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
        EXPECT_EQ(published(), service_slots()) << "after step " << step;
    }
}

TEST_F(TablesTest, AFailedWriteIsNamedAndTheRestIsTold) {
    open();
    // Nine services whose words share a bucket of eight.
    Desired desired;
    std::map<std::uint32_t, std::vector<std::uint16_t>> buckets;
    const Address vip = address("10.9.0.100");
    for (std::uint32_t port = 1; desired.services.empty(); port++) {
        const auto be_port = htons(static_cast<std::uint16_t>(port));
        auto& there = buckets[bsc_service_bucket_of(bsc_service_key(vip.v4_wire(), be_port, 0, 0))];
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
    desired.vips.assign(crowd.begin(), crowd.begin() + 4);
    want(desired);
    expect_read_back();
    desired.vips.push_back(crowd[4]);
    const auto applied = plane_->apply(plan_for(desired));
    ASSERT_FALSE(applied);
    EXPECT_NE(applied.error().text().find("VIP " + crowd[4].to_string()), std::string::npos);
    desired.vips.erase(desired.vips.begin());
    want(desired);
    expect_read_back();
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
