// SPDX-License-Identifier: Apache-2.0
#include "sim/breaking.h"

#include "sim/truth.h"

namespace bascule::sim {
namespace {

std::vector<sync::SessionRecord>* records_of(sync::StreamMessage& message) {
    if (auto* batch = std::get_if<sync::Batch>(&message)) return &batch->records;
    if (auto* repair = std::get_if<sync::Repair>(&message)) return &repair->records;
    if (auto* supply = std::get_if<sync::Supply>(&message)) return &supply->records;
    return nullptr;
}

}  // namespace

void break_message(const Plan& plan, Random& random, sync::StreamMessage& message) {
    std::vector<sync::SessionRecord>* records = records_of(message);
    switch (plan.breakage) {
        case Breakage::lost_batch:
            // It is acknowledged all the same.
            if (auto* batch = std::get_if<sync::Batch>(&message); batch && random.chance(0.2))
                batch->records.clear();
            break;
        case Breakage::deaf_compare:
            if (auto* differing = std::get_if<sync::Differing>(&message)) differing->which.clear();
            break;
        case Breakage::younger:
            if (records == nullptr) break;
            for (sync::SessionRecord& record : *records)
                record.seen += 30;
            break;
        case Breakage::other_target:
            if (records != nullptr && !records->empty() && random.chance(0.1))
                records->front().target = Truth::target(random.below(plan.targets));
            break;
        case Breakage::no_refresh:
            if (auto* batch = std::get_if<sync::Batch>(&message))
                std::erase_if(batch->records, [](const sync::SessionRecord& record) {
                    return record.kind == sync::SessionRecord::Kind::refreshed;
                });
            break;
        default:
            break;
    }
}

void break_claims(const Plan& plan, std::size_t from, sync::Heartbeat& heartbeat) {
    if (plan.breakage == Breakage::unheard_claims && from == 0) heartbeat.claims.clear();
    for (sync::VipClaim& claim : heartbeat.claims) {
        if (plan.breakage == Breakage::forgotten_word) claim.moved = false;
        if (plan.breakage == Breakage::nameless_hearsay) claim.holder = 0;
    }
}

}  // namespace bascule::sim
