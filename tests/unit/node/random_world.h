// SPDX-License-Identifier: Apache-2.0
// Random configurations, and random facts about them: what enters the funnel, in tests.
#pragma once

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "node/state.h"

namespace bascule::node::testing {

struct Edit {
    model::Config config;
};
struct Word {
    BackendName backend;
    OperatorWord word;
};
struct Verdict {
    BackendName backend;
    model::BackendKey key;
    HealthWord word;
};
struct Way {
    NeighbourState neighbour;
};
struct Held {
    Address vip;
    bool held = false;
};
using Fact = std::variant<Edit, Verdict, Word, Way, Held>;

inline void tell(State& state, const Fact& fact) {
    if (const auto* edit = std::get_if<Edit>(&fact)) state.set_config(edit->config);
    if (const auto* verdict = std::get_if<Verdict>(&fact))
        state.set_health(verdict->backend, verdict->key, verdict->word);
    if (const auto* way = std::get_if<Way>(&fact)) state.set_neighbour(way->neighbour);
    if (const auto* held = std::get_if<Held>(&fact)) state.set_held(held->vip, held->held);
    if (const auto* word = std::get_if<Word>(&fact))
        if (auto set = state.words().set(word->backend, word->word); !set)
            throw std::runtime_error(set.error().text());
}

class RandomWorld {
public:
    explicit RandomWorld(std::uint64_t seed) : random_(seed) {}

    model::Config config() {
        model::Config config;
        config.vips = {{address(100), "eth0"}, {address(101), "eth0"}};
        for (std::size_t i = 0; i < 3; i++)
            config.services.push_back(service(i));
        return config;
    }

    Fact fact(const model::Config& now) {
        switch (one_of(20)) {
            case 0:
            case 1:
            case 2:
            case 3:
                return Edit{edited(now)};
            case 4:
            case 5:
                return Word{some_backend(now), word()};
            case 6:
                return Held{now.vips[one_of(now.vips.size())].address, chance(2)};
            case 7:
            case 8:
            case 9:
                return Way{neighbour()};
            default:
                return verdict(now);
        }
    }

    // A resolved neighbour for each backend there can be.
    static std::vector<Fact> everybody_is_there() {
        std::vector<Fact> facts;
        for (unsigned last = 20; last < 20 + 2 * most_backends; last++)
            facts.emplace_back(Way{at(address(last), last)});
        return facts;
    }

    std::size_t one_of(std::size_t count) {
        return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_);
    }
    bool chance(std::size_t in) { return one_of(in) == 0; }

private:
    static constexpr unsigned most_backends = 5;

    static Address address(unsigned last) {
        return Address::v4({10, 9, 0, static_cast<std::uint8_t>(last)});
    }
    static NeighbourState at(const Address& address, std::uint64_t mac) {
        NeighbourState state;
        state.address = address;
        state.next_hop = model::NextHop{Mac::from_word(0x020000000000 + mac), 1, 0,
                                        Mac::from_word(0x02000000ff00), 1500};
        return state;
    }
    NeighbourState neighbour() {
        const Address to = address(20 + static_cast<unsigned>(one_of(2 * most_backends)));
        if (!chance(3)) return at(to, one_of(1000));
        NeighbourState lost;
        lost.address = to;
        lost.reason = "no answer to ARP";
        return lost;
    }
    model::BackendConfig backend(unsigned number) {
        model::BackendConfig backend;
        backend.name = "b" + std::to_string(number);
        backend.address = address(20 + number + (chance(8) ? most_backends : 0));
        backend.port = 80;
        constexpr std::uint32_t weights[] = {100, 100, 50, 1, 0};
        backend.weight = weights[one_of(std::size(weights))];
        backend.backup = chance(5);
        return backend;
    }
    model::ServiceConfig service(std::size_t number) {
        model::ServiceConfig service;
        service.name = "s" + std::to_string(number);
        service.vip = address(number == 2 ? 101 : 100);
        const auto port = static_cast<std::uint16_t>(80 + number);
        service.ports = {port, port};
        service.limits = {model::Seconds(60), model::Seconds(3600), model::Seconds(60)};
        service.ring_size = 251;
        service.health.type = chance(4) ? model::ProbeType::none : model::ProbeType::tcp;
        service.quorum = chance(3) ? 2 : 1;
        service.give_up_vip = chance(3);
        for (unsigned i = 0; i < most_backends; i++)
            if (!chance(3)) service.backends.push_back(backend(i));
        if (service.backends.empty()) service.backends.push_back(backend(0));
        return service;
    }
    model::Config edited(model::Config config) {
        if (chance(8) && config.services.size() > 1) {
            config.services.erase(config.services.begin() +
                                  static_cast<std::ptrdiff_t>(one_of(config.services.size())));
            return config;
        }
        const std::size_t number = one_of(3);
        const model::ServiceConfig made = service(number);
        const auto stands = std::find_if(config.services.begin(), config.services.end(),
                                         [&](const auto& one) { return one.name == made.name; });
        if (stands == config.services.end()) {
            config.services.push_back(made);
            return config;
        }
        switch (one_of(4)) {
            case 0:
                *stands = made;
                break;
            case 1:
                stands->health = made.health;
                stands->quorum = made.quorum;
                break;
            default:
                stands->backends = made.backends;
                break;
        }
        return config;
    }
    BackendName some_backend(const model::Config& config) {
        const auto& service = config.services[one_of(config.services.size())];
        return {service.name, service.backends[one_of(service.backends.size())].name};
    }
    OperatorWord word() {
        OperatorWord word;
        word.unix_seconds = 1;
        const std::size_t kind = one_of(5);
        word.drained = kind == 1;
        word.disabled = kind == 2;
        if (kind == 3) word.weight = static_cast<std::uint32_t>(one_of(200));
        return word;
    }
    Verdict verdict(const model::Config& config) {
        const auto& service = config.services[one_of(config.services.size())];
        const auto& backend = service.backends[one_of(service.backends.size())];
        HealthWord word{health::Health::up, 100, {}};
        if (chance(3)) word = {health::Health::down, 100, "connection refused"};
        if (chance(6)) word.weight_percent = static_cast<std::uint32_t>(10 * one_of(11));
        if (chance(20)) word.health = health::Health::checking;
        return {{service.name, backend.name}, key_of(backend), word};
    }

    std::mt19937_64 random_;
};

}  // namespace bascule::node::testing
