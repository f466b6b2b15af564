// SPDX-License-Identifier: Apache-2.0
#include "sim/truth.h"

#include <algorithm>

namespace bascule::sim {
namespace {

constexpr std::uint16_t first_port = 20'000;

}  // namespace

Truth::Truth(const Plan& plan) : flows_(plan.flows) {
    for (std::size_t number = 0; number < flows_.size(); ++number) {
        sync::Flow& flow = flows_[number].flow;
        flow.source = Address::v4({10, 0, 0, static_cast<std::uint8_t>(1 + number % 5)});
        flow.source_port = static_cast<std::uint16_t>(first_port + number);
        flow.destination_port = 80;
        flow.service = service;
    }
}

std::optional<std::size_t> Truth::number_of(const sync::Flow& flow) const {
    const std::size_t number = static_cast<std::size_t>(flow.source_port) - first_port;
    if (number >= flows_.size() || flows_[number].flow != flow) return std::nullopt;
    return number;
}

void Truth::packet(std::size_t flow, sync::TargetId target, Time now) {
    OneFlow& one = flows_[flow];
    one.last = now;
    const auto known = std::ranges::find(one.targets, target, &Delivered::target);
    if (known != one.targets.end())
        known->last = now;
    else
        one.targets.push_back({target, now});
}

std::optional<Time> Truth::last_packet(std::size_t flow, sync::TargetId target) const {
    const auto& targets = flows_[flow].targets;
    const auto known = std::ranges::find(targets, target, &Delivered::target);
    if (known == targets.end()) return std::nullopt;
    return known->last;
}

}  // namespace bascule::sim
