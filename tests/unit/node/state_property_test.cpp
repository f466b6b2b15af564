// SPDX-License-Identifier: Apache-2.0
// What holds of the funnel whatever happens: the order of what is said does not matter, and no
// write on the way makes a ring empty that need not be. Random histories; a failure names its seed.
#include <gtest/gtest.h>

#include <set>

#include "model/plan.h"
#include "node/state.h"
#include "tests/unit/control/temporary_directory.h"
#include "tests/unit/node/random_world.h"
#include "tests/unit/node/words_in.h"

namespace bascule::node {
namespace {

using namespace testing;

bool has_address(const model::Config& config, const Address& address) {
    const auto all = State::backend_addresses(config);
    return std::find(all.begin(), all.end(), address) != all.end();
}

bool has_vip(const model::Config& config, const Address& address) {
    return std::any_of(config.vips.begin(), config.vips.end(),
                       [&](const auto& vip) { return vip.address == address; });
}

// By this very address, and checked.
bool has_checked(const model::Config& config, const Verdict& verdict) {
    for (const auto& service : config.services)
        if (service.name == verdict.backend.first && service.health.type != model::ProbeType::none)
            for (const auto& backend : service.backends)
                if (backend.name == verdict.backend.second && key_of(backend) == verdict.key)
                    return true;
    return false;
}

// What a fact is about, where it is no edit.
std::string subject_of(const Fact& fact) {
    if (const auto* verdict = std::get_if<Verdict>(&fact))
        return "health " + verdict->backend.first + "/" + verdict->backend.second;
    if (const auto* word = std::get_if<Word>(&fact))
        return "word " + word->backend.first + "/" + word->backend.second;
    if (const auto* way = std::get_if<Way>(&fact))
        return "way " + way->neighbour.address.to_string();
    return "held " + std::get<Held>(fact).vip.to_string();
}

// An edit that keeps what the fact is about says nothing of it.
bool keeps_subject(const model::Config& config, const Fact& fact) {
    if (const auto* verdict = std::get_if<Verdict>(&fact)) return has_checked(config, *verdict);
    if (const auto* way = std::get_if<Way>(&fact))
        return has_address(config, way->neighbour.address);
    if (const auto* held = std::get_if<Held>(&fact)) return has_vip(config, held->vip);
    return true;
}

// One history, and the configuration that stands before each of its facts.
struct History {
    model::Config first;
    std::vector<Fact> facts;

    const model::Config& before(std::size_t index) const {
        while (index-- > 0)
            if (const auto* edit = std::get_if<Edit>(&facts[index])) return edit->config;
        return first;
    }
    // Whether the facts at `index` and behind it are about different things.
    bool may_swap(std::size_t index) const {
        const Fact& one = facts[index];
        const Fact& other = facts[index + 1];
        const auto* edit = std::get_if<Edit>(&one);
        const auto* later_edit = std::get_if<Edit>(&other);
        if (edit != nullptr && later_edit != nullptr) return false;
        if (edit == nullptr && later_edit == nullptr) return subject_of(one) != subject_of(other);
        const Fact& fact = edit != nullptr ? other : one;
        const auto& after = edit != nullptr ? edit->config : later_edit->config;
        return keeps_subject(before(index), fact) && keeps_subject(after, fact);
    }
    std::size_t shuffle(RandomWorld& world) {
        std::size_t swaps = 0;
        for (std::size_t i = 0; i < 20 * facts.size(); i++) {
            const std::size_t at = world.one_of(facts.size() - 1);
            if (!may_swap(at)) continue;
            std::swap(facts[at], facts[at + 1]);
            ++swaps;
        }
        return swaps;
    }
};

History random_history(RandomWorld& world, std::size_t length) {
    History history;
    history.first = world.config();
    for (const auto& way : RandomWorld::everybody_is_there())
        if (!world.chance(4)) history.facts.push_back(way);
    model::Config now = history.first;
    while (history.facts.size() < length) {
        history.facts.push_back(world.fact(now));
        if (const auto* edit = std::get_if<Edit>(&history.facts.back())) now = edit->config;
    }
    return history;
}

// All that State answers, so that two can be compared and a difference be read.
std::vector<std::string> answers_of(const State& state) {
    std::vector<std::string> lines;
    const auto desired = state.desired();
    for (const auto& vip : desired.vips)
        lines.push_back(vip.address.to_string() + (vip.held ? " held" : " not held") +
                        (state.wants_vip(vip.address) ? ", wanted" : ", not wanted"));
    for (const auto& service : desired.services)
        for (const auto& backend : service.backends)
            lines.push_back(service.key.to_string() + " " + backend.key.to_string() + " weight " +
                            std::to_string(backend.weight) + (backend.up ? " up" : " down") +
                            (backend.backup ? " backup " : " ") +
                            (backend.next_hop ? backend.next_hop->mac.to_string() : "unresolved"));
    for (const auto& service : state.config().services)
        for (const auto& backend : service.backends) {
            const auto view = state.view(service, backend);
            lines.push_back(service.name + "/" + backend.name + " " +
                            std::to_string(static_cast<int>(view.condition)) + " " + view.reason);
        }
    return lines;
}

class StateProperties : public ::testing::Test {
protected:
    State make(const model::Config& config) {
        folders_.emplace_back(std::make_unique<TemporaryDirectory>("/dev/shm"));
        return State(config, words_in(folders_.back()->path()));
    }
    std::vector<std::string> after(const History& history) {
        State state = make(history.first);
        for (const auto& fact : history.facts)
            tell(state, fact);
        return answers_of(state);
    }

    std::vector<std::unique_ptr<TemporaryDirectory>> folders_;
};

TEST_F(StateProperties, TheOrderOfWhatIsSaidDoesNotMatter) {
    std::size_t swaps = 0;
    for (std::uint64_t seed = 1; seed <= 150; seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RandomWorld world(seed);
        History history = random_history(world, 40);
        const auto one = after(history);
        swaps += history.shuffle(world);
        ASSERT_EQ(after(history), one);
        folders_.clear();
    }
    EXPECT_GT(swaps, 150U * 100U) << "else it proves little";
}

// The property can fail: facts about one thing are not to be swapped.
TEST_F(StateProperties, TheLastWordOfAThingDecides) {
    std::size_t differ = 0;
    for (std::uint64_t seed = 1; seed <= 30; seed++) {
        RandomWorld world(seed);
        History history = random_history(world, 40);
        const auto one = after(history);
        std::reverse(history.facts.begin(), history.facts.end());
        differ += after(history) != one;
        folders_.clear();
    }
    EXPECT_GT(differ, 15U);
}

// ---- with the planner ----

// The ring of each service that stands before and after a plan, and could serve in both.
std::set<std::uint16_t> serving(const model::Tables& tables) {
    std::set<std::uint16_t> slots;
    for (const auto& [slot, ring] : tables.rings)
        if (!ring.empty()) slots.insert(slot);
    return slots;
}

void expect_serves(const model::Tables& tables, std::uint16_t service) {
    const auto ring = tables.rings.find(service);
    ASSERT_TRUE(ring != tables.rings.end() && !ring->second.empty()) << "an empty ring";
    for (const std::uint16_t slot : ring->second) {
        const auto backend = tables.backends.find(slot);
        ASSERT_NE(backend, tables.backends.end());
        ASSERT_TRUE(backend->second.up && backend->second.next_hop) << "leads to nobody";
        ASSERT_EQ(backend->second.service, service);
    }
}

TEST_F(StateProperties, NoWriteOnTheWayEmptiesARingThatNeedNotBe) {
    std::size_t writes = 0;
    std::size_t rings = 0;
    for (std::uint64_t seed = 1; seed <= 150; seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RandomWorld world(seed);
        const History history = random_history(world, 60);
        State state = make(history.first);
        model::Tables tables;
        for (std::size_t i = 0; i < history.facts.size(); i++) {
            tell(state, history.facts[i]);
            // Several at once, too: what falls together is one plan.
            if (world.chance(3)) continue;
            auto plan = model::plan(tables, state.desired());
            ASSERT_TRUE(plan) << plan.error().text();
            const auto before = serving(tables);
            const auto later = serving(plan->after);
            for (const auto& write : plan->writes) {
                record(tables, write);
                ++writes;
                for (const auto slot : before) {
                    if (!later.contains(slot)) continue;
                    ++rings;
                    ASSERT_NO_FATAL_FAILURE(expect_serves(tables, slot)) << "fact " << i;
                }
            }
            ASSERT_EQ(tables, plan->after);
        }
        folders_.clear();
    }
    EXPECT_GT(writes, 1000U);
    EXPECT_GT(rings, 1000U);
}

}  // namespace
}  // namespace bascule::node
