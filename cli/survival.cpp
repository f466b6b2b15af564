// SPDX-License-Identifier: Apache-2.0
#include "cli/survival.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

namespace bascule::cli {

namespace {

using Names = std::vector<std::string>;

enum class Outcome { lost, broken, unnoticed };

Outcome outcome_of(const control::Vip& vip) {
    if (vip.next().empty()) return Outcome::lost;
    return vip.next_ready() ? Outcome::unnoticed : Outcome::broken;
}

std::vector<Succession> successions_of(const control::Status& status) {
    // The order of the map is that of the answer.
    std::map<std::tuple<Outcome, std::string, std::string>, Names> vips;
    for (const auto& vip : status.vips())
        if (const std::string from = holder_of(vip, status.node()); !from.empty())
            vips[{outcome_of(vip), from, vip.next()}].push_back(vip.address());
    std::vector<Succession> found;
    for (auto& [key, addresses] : vips) {
        const auto& [outcome, from, to] = key;
        found.push_back({from, to, outcome == Outcome::unnoticed, std::move(addresses)});
    }
    return found;
}

void add_unheld(const control::Status& status, Names& reasons) {
    Names unheld;
    std::map<std::string, Names> shared;  // by who hold them
    for (const auto& vip : status.vips()) {
        if (holder_of(vip, status.node()).empty()) unheld.push_back(vip.address());
        if (vip.holders_size() > 1)
            shared[some_of({vip.holders().begin(), vip.holders().end()})].push_back(vip.address());
    }
    if (!unheld.empty()) reasons.push_back("nobody holds " + some_of(unheld));
    for (const auto& [holders, vips] : shared)
        reasons.push_back(fmt::format("{} hold {} at the same time", holders, some_of(vips)));
}

void add_successions(const std::vector<Succession>& successions, Names& reasons) {
    for (const auto& one : successions)
        if (one.to.empty())
            reasons.push_back(
                fmt::format("if {} dies, nobody takes {}", one.from, some_of(one.vips)));
    for (const auto& one : successions)
        if (!one.to.empty() && !one.ready)
            reasons.push_back(
                fmt::format("if {} dies, {} takes {} without being in step: connections break",
                            one.from, one.to, some_of(one.vips)));
}

void add_configurations(const control::Status& status, Names& reasons) {
    Names others;
    for (const auto& peer : status.peers().peers())
        if (peer.has_config_equal() && !peer.config_equal()) others.push_back(peer.name());
    if (!others.empty())
        reasons.push_back(fmt::format("{} {} another configuration", some_of(others),
                                      others.size() == 1 ? "has" : "have"));
}

// A node without a witness keeps its VIPs only while a peer lives that sees none either.
void add_witnesses(const control::Status& status, Names& reasons) {
    const auto& witnesses = status.witnesses();
    if (witnesses.empty() || std::any_of(witnesses.begin(), witnesses.end(),
                                         [](const auto& witness) { return witness.answers(); }))
        return;
    reasons.push_back(fmt::format("no witness answers {}: without a peer it would give up its VIPs",
                                  status.node()));
}

}  // namespace

std::string holder_of(const control::Vip& vip, const std::string& self) {
    if (!vip.holder().empty()) return vip.holder();
    return vip.held() ? self : std::string();
}

std::string some_of(const std::vector<std::string>& names) {
    constexpr std::size_t most = 3;
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < most; ++i) {
        const bool last = i + 1 == names.size();
        text += (i == 0 ? "" : last ? " and " : ", ") + names[i];
    }
    if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
    return text;
}

Survival survival_of(const control::Status& status) {
    Survival survival;
    survival.successions = successions_of(status);
    add_unheld(status, survival.reasons);
    add_successions(survival.successions, survival.reasons);
    if (status.vips().empty() && status.peers().alone())
        survival.reasons.emplace_back("no other node is alive");
    add_configurations(status, survival.reasons);
    add_witnesses(status, survival.reasons);
    return survival;
}

bool is_degraded(const control::Status& status) {
    return !status.degradations().empty() ||
           (status.has_peers() && !survival_of(status).survives());
}

}  // namespace bascule::cli
