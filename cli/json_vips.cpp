// SPDX-License-Identifier: Apache-2.0
#include "cli/json_vips.h"

#include "cli/names.h"

namespace bascule::cli {

namespace {

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

template <typename Texts>
Json texts(const Texts& from) {
    Json list = Json::array();
    for (const auto& text : from)
        list.push_back(text);
    return list;
}

Json json_of(const control::VipNode& node) {
    return {{"name", node.name()},
            {"role", name_of(node.role())},
            {"priority", node.priority()},
            {"epoch", node.epoch()},
            {"why", text_or_null(node.why())}};
}

Json json_of(const control::VipRival& rival) {
    return {{"mac", rival.mac()},
            {"interface", rival.interface()},
            {"count", rival.count()},
            {"seconds_ago", rival.seconds_ago()}};
}

template <typename Items>
Json list_of(const Items& items) {
    Json list = Json::array();
    for (const auto& item : items)
        list.push_back(json_of(item));
    return list;
}

}  // namespace

Json json_vip(const control::Vip& vip) {
    return {{"address", vip.address()},
            {"interface", vip.interface()},
            {"held", vip.held()},
            {"holder", text_or_null(vip.holder())},
            {"problem", text_or_null(vip.problem())},
            {"holders", texts(vip.holders())},
            {"next", text_or_null(vip.next())},
            {"next_ready", vip.next_ready()},
            {"moved", vip.moved()},
            {"waits", text_or_null(vip.waits())},
            {"epoch", vip.epoch()},
            {"held_seconds", vip.held_seconds()},
            {"service_mac", text_or_null(vip.service_mac())},
            {"announced", vip.announced()},
            {"restored", vip.restored()},
            {"nodes", list_of(vip.nodes())},
            {"rivals", list_of(vip.rivals())}};
}

Json json_witness(const control::Witness& witness) {
    return {{"address", witness.address()},
            {"answers", witness.answers()},
            {"rtt_ms", witness.has_rtt_ms() ? Json(witness.rtt_ms()) : Json()},
            {"since_seconds", witness.since_seconds()}};
}

Json json_survival(const Survival& survival) {
    Json takeovers = Json::array();
    for (const auto& one : survival.successions)
        takeovers.push_back({{"from", one.from},
                             {"to", text_or_null(one.to)},
                             {"ready", one.ready},
                             {"vips", texts(one.vips)}});
    return {{"survives", survival.survives()},
            {"reasons", texts(survival.reasons)},
            {"takeovers", std::move(takeovers)}};
}

Json json_vips(const control::Vips& vips) {
    Json members = {{"in_cluster", vips.in_cluster()}, {"node", text_or_null(vips.node())}};
    members["vips"] = Json::array();
    for (const auto& vip : vips.vips())
        members["vips"].push_back(json_vip(vip));
    members["witnesses"] = Json::array();
    for (const auto& witness : vips.witnesses())
        members["witnesses"].push_back(json_witness(witness));
    members["failback"] = text_or_null(vips.failback());
    members["failback_delay_ms"] = vips.failback_delay_ms();
    return members;
}

Json json_failover(const control::FailedOver& done) {
    Json moved = Json::array();
    for (const auto& one : done.moved())
        moved.push_back({{"vip", one.vip()},
                         {"from", one.from()},
                         {"to", one.to()},
                         {"milliseconds", one.milliseconds()}});
    return {{"moved", std::move(moved)}, {"failed", texts(done.failed())}};
}

}  // namespace bascule::cli
