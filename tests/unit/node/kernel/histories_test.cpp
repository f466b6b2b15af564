// SPDX-License-Identifier: Apache-2.0
// Random histories of edits, drains, weights, neighbours and verdicts, carried through State and
// the planner into real maps: after each step the maps, read back, say what the rules say.
//
// A failure names its seed; BASCULE_LONG=1 takes ten times as many.
#include <gtest/gtest.h>

#include <cstdlib>

#include "dataplane/config_memory.h"
#include "dataplane/dataplane.h"
#include "dataplane/mapping.h"
#include "dataplane/table_reader.h"
#include "expected.h"
#include "model/plan.h"
#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/dataplane/kernel/world.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using namespace testing;

constexpr std::uint64_t usual_histories = 200;
constexpr std::size_t steps = 20;

// The maps as a packet meets them.
class Maps {
public:
    explicit Maps(const dataplane::Dataplane& plane) : plane_(plane) {
        memory_.vips = map<bsc_vip_bucket>(0, "vips", BSC_VIP_BUCKETS);
        memory_.vip_states = map<__u64>(1, "vip_states", BSC_VIP_STATES);
        memory_.service_words = map<bsc_service_bucket>(2, "service_words", BSC_SERVICE_BUCKETS);
        memory_.services = map<bsc_service>(3, "services", BSC_MAX_SERVICES);
        memory_.backends = map<bsc_backend>(4, "backends", BSC_MAX_BACKENDS);
        memory_.rings = plane.map_fd("rings");
    }
    model::Tables read() const { return dataplane::read_tables(memory_); }

private:
    template <typename T>
    std::span<T> map(std::size_t index, const char* name, std::size_t entries) {
        auto mapped = dataplane::Mapping::of_map(plane_.map_fd(name), entries * sizeof(T));
        if (!mapped) throw std::runtime_error(mapped.error().text());
        mappings_[index] = std::move(*mapped);
        return mappings_[index].as<T>();
    }

    const dataplane::Dataplane& plane_;
    std::array<dataplane::Mapping, 5> mappings_;
    dataplane::ConfigMemory memory_;
};

// Shares of a small ring are coarse: a slot or two beside the exact one.
void expect_shares(const model::Tables& tables, const model::Ring& ring,
                   const ExpectedService& expected) {
    std::map<model::BackendKey, std::size_t> got;
    for (const std::uint16_t slot : ring)
        ++got[tables.backends.at(slot).key];
    std::uint64_t sum = 0;
    for (const auto& [key, backend] : expected.backends)
        sum += backend.weight;
    if (sum == 0) {
        ASSERT_TRUE(ring.empty());
        return;
    }
    ASSERT_EQ(ring.size(), 251);
    for (const auto& [key, backend] : expected.backends) {
        const double exact = 251.0 * backend.weight / static_cast<double>(sum);
        ASSERT_EQ(got.contains(key), backend.weight > 0) << key.to_string();
        ASSERT_NEAR(static_cast<double>(got[key]), exact, 3.0) << key.to_string();
    }
}

void expect_says(const model::Tables& tables, const Expected& expected) {
    const auto services = expected.services();
    ASSERT_EQ(tables.services.size(), services.size());
    std::size_t backends = 0;
    for (const auto& [slot, service] : tables.services) {
        SCOPED_TRACE(service.key.to_string());
        ASSERT_TRUE(services.contains(service.key));
        const ExpectedService& wanted = services.at(service.key);
        backends += wanted.backends.size();
        for (const auto& [number, backend] : tables.backends) {
            if (backend.service != slot) continue;
            SCOPED_TRACE(backend.key.to_string());
            ASSERT_TRUE(wanted.backends.contains(backend.key));
            ASSERT_EQ(backend.up, wanted.backends.at(backend.key).up);
            ASSERT_EQ(backend.next_hop.has_value(), wanted.backends.at(backend.key).resolved);
        }
        const auto ring = tables.rings.find(slot);
        ASSERT_NO_FATAL_FAILURE(expect_shares(
            tables, ring == tables.rings.end() ? model::Ring{} : ring->second, wanted));
    }
    ASSERT_EQ(tables.backends.size(), backends);
    std::map<Address, bool> vips;
    for (const auto& [id, vip] : tables.vips)
        vips[vip.address] = vip.held;
    ASSERT_EQ(vips, expected.vips());
}

class Histories : public ::testing::Test {
protected:
    Histories() {
        auto opened = dataplane::Dataplane::open({bpffs_, 10'000, 5'000, {1, 2}});
        if (!opened) throw std::runtime_error(opened.error().text());
        plane_ = std::move(*opened);
    }
    ~Histories() override {
        plane_.reset();
        EXPECT_TRUE(dataplane::Dataplane::detach_all(bpffs_));
    }

    void carry_out(const model::Desired& desired) {
        auto plan = model::plan(plane_->tables(), desired, memo_);
        ASSERT_TRUE(plan) << plan.error().text();
        const auto applied = plane_->apply(*plan);
        ASSERT_TRUE(applied) << applied.error().text();
        writes_ += plan->writes.size();
    }
    void run(std::uint64_t seed, const Maps& maps) {
        RandomWorld world(seed);
        const TemporaryDirectory folder(test::plain_directory());
        model::Config now = world.config();
        State state(now, words_in(folder.path()));
        Expected expected(now);
        std::vector<Fact> facts;
        for (const auto& way : RandomWorld::everybody_is_there())
            if (!world.chance(6)) facts.push_back(way);
        for (std::size_t step = 0; step < steps; step++) {
            facts.push_back(world.fact(now));
            if (const auto* edit = std::get_if<Edit>(&facts.back())) now = edit->config;
            for (const auto& fact : facts) {
                tell(state, fact);
                expected.tell(fact);
            }
            facts.clear();
            ASSERT_NO_FATAL_FAILURE(carry_out(state.desired()));
            const model::Tables tables = maps.read();
            ASSERT_EQ(tables, plane_->tables()) << "step " << step;
            ASSERT_NO_FATAL_FAILURE(expect_says(tables, expected)) << "step " << step;
        }
        ASSERT_NO_FATAL_FAILURE(carry_out({}));
        ASSERT_TRUE(maps.read().backends.empty());
    }

    std::string bpffs_ = test::new_bpffs();
    std::unique_ptr<dataplane::Dataplane> plane_;
    model::RingMemo memo_;
    std::size_t writes_ = 0;
};

TEST_F(Histories, TheMapsSayWhatTheRulesSayAfterEachStep) {
    const Maps maps(*plane_);
    const std::uint64_t count =
        std::getenv("BASCULE_LONG") != nullptr ? 10 * usual_histories : usual_histories;
    for (std::uint64_t seed = 1; seed <= count; seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        ASSERT_NO_FATAL_FAILURE(run(seed, maps));
    }
    std::printf("%llu histories, %zu writes\n", static_cast<unsigned long long>(count), writes_);
    EXPECT_GT(writes_, count * steps) << "else little happened";
}

}  // namespace
}  // namespace bascule::node
