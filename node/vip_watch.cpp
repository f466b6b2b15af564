// SPDX-License-Identifier: Apache-2.0
#include "node/vip_watch.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace bascule::node {

namespace {

using namespace std::chrono_literals;
using Kind = Event::Kind;
using What = sync::VipMove::What;

// A planned takeover has two holders for a heartbeat.
constexpr auto conflict_patience = 500ms;
constexpr auto former_holder = 1s;
constexpr auto rival_patience = 300ms;
// Between two events about the same rival.
constexpr auto rival_pause = 60s;

void follow(Since& since, bool holds, sync::Moment now) {
    if (!holds)
        since.reset();
    else if (!since)
        since = now;
}

bool lasts(const Since& since, std::chrono::nanoseconds time, sync::Moment now) {
    return since && now - *since >= time;
}

Kind kind_of(What what) {
    if (what == What::taken) return Kind::vip_taken;
    return what == What::failed ? Kind::vip_failed : Kind::vip_released;
}

}  // namespace

std::string in_words(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
        text += names[i];
    }
    return text;
}

void VipWatch::set_vips(const std::vector<Address>& vips) {
    addresses_.clear();
    for (const Address& vip : vips) {
        addresses_[sync::vip_id(vip)] = vip;
        vips_[vip];
    }
    const auto is_gone = [&](const Address& vip) {
        return std::find(vips.begin(), vips.end(), vip) == vips.end();
    };
    std::erase_if(vips_, [&](const auto& entry) { return is_gone(entry.first); });
    std::erase_if(rivals_, [&](const auto& entry) { return is_gone(entry.first.first); });
}

std::vector<VipWatch::Told> VipWatch::on_heartbeats(const sync::HeartbeatReport& report,
                                                    sync::Moment now) {
    std::vector<Told> told;
    for (const sync::VipMove& move : report.moves) {
        const auto known = addresses_.find(move.vip);
        // That it is offered is no news while it is still here.
        if (known == addresses_.end() || move.what == What::offered) continue;
        const std::string epoch =
            move.what == What::taken ? fmt::format(" (epoch {})", move.epoch) : "";
        told.push_back({kind_of(move.what), known->second.to_string(), move.why + epoch});
    }
    for (const sync::VipView& view : report.vips) {
        const auto known = addresses_.find(view.vip);
        if (known == addresses_.end()) continue;
        follow(view, vips_[known->second], known->second, now, told);
    }
    return told;
}

void VipWatch::follow(const sync::VipView& view, VipNotes& notes, const Address& vip,
                      sync::Moment now, std::vector<Told>& told) {
    node::follow(notes.nobody, view.holder.empty(), now);
    node::follow(notes.two, view.holders.size() > 1, now);
    node::follow(notes.no_next, view.next.empty() || !view.next_ready, now);
    node::follow(notes.waits, !view.waits.empty(), now);
    node::follow(notes.held, has_it(view.role), now);
    if (!notes.two) {
        notes.two_told = false;
    } else if (lasts(notes.two, conflict_patience, now) && !std::exchange(notes.two_told, true)) {
        told.push_back({Kind::vip_conflict, vip.to_string(),
                        fmt::format("{} hold it at once", in_words(view.holders))});
    }
}

std::vector<VipWatch::Told> VipWatch::on_holder(const VipHolderReport& report, sync::Moment now) {
    std::vector<Told> told;
    const auto is_there = [&](const auto& entry) {
        return std::any_of(report.rivals.begin(), report.rivals.end(), [&](const VipRival& rival) {
            return rival.vip == entry.first.first && rival.mac == entry.first.second;
        });
    };
    std::erase_if(rivals_, [&](const auto& entry) { return !is_there(entry); });
    for (const VipRival& rival : report.rivals) {
        RivalNotes& notes =
            rivals_.try_emplace({rival.vip, rival.mac}, RivalNotes{now, false, {}}).first->second;
        const auto known = vips_.find(rival.vip);
        const bool is_settled = known != vips_.end() && known->second.held &&
                                rival.last - *known->second.held >= former_holder;
        notes.stays |= is_settled && now - notes.since >= rival_patience;
        if (!notes.stays) continue;
        if (notes.told && now - *notes.told < rival_pause) continue;
        notes.told = now;
        told.push_back(
            {Kind::vip_conflict, rival.vip.to_string(),
             fmt::format("{} answers for it on {}", rival.mac.to_string(), rival.interface)});
    }
    return told;
}

bool VipWatch::is_rival(const VipRival& rival) const {
    const auto known = rivals_.find({rival.vip, rival.mac});
    return known != rivals_.end() && known->second.stays;
}

}  // namespace bascule::node
