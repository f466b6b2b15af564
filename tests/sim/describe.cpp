// SPDX-License-Identifier: Apache-2.0
#include "sim/describe.h"

#include <sstream>

namespace bascule::sim {
namespace {

const char* name_of(sync::SessionRecord::Kind kind) {
    using Kind = sync::SessionRecord::Kind;
    switch (kind) {
        case Kind::established:
            return "established";
        case Kind::refreshed:
            return "refreshed";
        case Kind::closed:
            return "closed";
        case Kind::ended:
            return "ended";
        case Kind::copy:
            return "copy";
    }
    return "?";
}

struct Describing {
    const Truth& truth;
    std::ostringstream out;

    void records(const std::vector<sync::SessionRecord>& all) {
        for (const sync::SessionRecord& record : all)
            out << " [flow " << truth.number_of(record.flow).value_or(9999) << " "
                << name_of(record.kind) << " " << record.target << " seen " << record.seen << "]";
    }
    void numbers(const std::vector<std::uint32_t>& which) {
        for (const std::uint32_t number : which)
            out << " " << number;
    }

    void operator()(const sync::Hello& hello) {
        out << "hello, has batch " << hello.received_batch << ", clock " << hello.now;
    }
    void operator()(const sync::Batch& batch) {
        out << "batch " << batch.number << ", clock " << batch.now;
        records(batch.records);
    }
    void operator()(const sync::Ack& ack) { out << "ack " << ack.number; }
    void operator()(const sync::Gap& gap) { out << "gap before " << gap.number; }
    void operator()(const sync::Catalogue& catalogue) {
        out << "catalogue of " << catalogue.targets.size();
    }
    void operator()(const sync::Digests& digests) {
        out << "digests, round " << digests.round << (digests.joining ? ", joining" : "") << ", "
            << digests.digests.size() << " partitions";
    }
    void operator()(const sync::Differing& differing) {
        out << "differing, round " << differing.round << ":";
        numbers(differing.which);
    }
    void operator()(const sync::Listing& listing) {
        out << "listing, round " << listing.round << ", partition " << listing.partition << ", "
            << listing.fingerprints.size() << " sessions";
    }
    void operator()(const sync::Repair& repair) {
        out << "repair, round " << repair.round << ", partition " << repair.partition
            << (repair.last ? ", last" : "") << ", clock " << repair.now << ", lacks "
            << repair.missing.size();
        records(repair.records);
    }
    void operator()(const sync::Supply& supply) {
        out << "supply, round " << supply.round << (supply.done ? ", done" : "") << ", clock "
            << supply.now;
        records(supply.records);
    }
    void operator()(const sync::SharedDigests&) { out << "shared digests"; }
    void operator()(const sync::SharedItems& items) {
        out << items.items.size() << " shared items, wants " << items.wanted.size();
    }
    void operator()(const sync::Ping&) { out << "ping"; }
    void operator()(const sync::Pong&) { out << "pong"; }
    void operator()(const sync::Bye& bye) { out << "bye: " << bye.why; }
};

}  // namespace

std::string describe(const sync::StreamMessage& message, const Truth& truth) {
    Describing describing{truth, {}};
    std::visit(describing, message);
    return describing.out.str();
}

std::string describe(const Table::Slot& slot) {
    using State = sync::StoredSession::State;
    if (!slot) return "nothing";
    std::ostringstream out;
    out << (slot->state == State::established ? "established"
            : slot->state == State::closing   ? "closing"
                                              : "unproven")
        << (slot->from_peer ? " copy" : "") << " to " << slot->target << " seen " << slot->seen;
    return out.str();
}

std::string describe(const sync::VipDuty& duty) {
    using What = sync::VipDuty::What;
    const char* what = duty.what == What::held     ? " is to be here"
                       : duty.what == What::absent ? " is not to be here"
                                                   : " lingers";
    return "VIP " + std::to_string(duty.vip) + what + ", epoch " + std::to_string(duty.epoch) +
           ", announcements " + std::to_string(duty.announcements) +
           (duty.parting ? ", parting" : "");
}

std::string describe(const sync::VipMove& move) {
    using What = sync::VipMove::What;
    const char* what = move.what == What::taken      ? "taken"
                       : move.what == What::released ? "released"
                       : move.what == What::offered  ? "offered"
                                                     : "not taken";
    return "VIP " + std::to_string(move.vip) + " " + what + " (" + move.why + ")";
}

}  // namespace bascule::sim
