// SPDX-License-Identifier: Apache-2.0
#include "sim/table.h"

#include <utility>

namespace bascule::sim {
namespace {

using State = sync::StoredSession::State;

// Whole seconds of two clocks, and what a message may have been on its way
// longer than the fastest.
constexpr Time tolerance = 4s;

std::string called(std::size_t flow) {
    return "flow " + std::to_string(flow);
}

}  // namespace

Table::Table(const Plan& plan, const Truth& truth, const HostClock& clock, const Time& now)
    : plan_(plan),
      truth_(truth),
      clock_(clock),
      now_(now),
      slots_(plan.flows),
      lapsed_(plan.flows) {
    for (std::size_t target = 0; target < plan.targets; ++target)
        known_.insert(Truth::target(target));
}

// ---- the data plane's door ----

bool Table::write(std::size_t flow, const sync::StoredSession& session) {
    if (!slots_[flow] && taken_ >= plan_.room) return false;
    if (listener_) listener_(flow, session);
    const Slot before = slots_[flow];
    if (!before) ++taken_;
    slots_[flow] = session;
    changed(flow, before);
    return true;
}

void Table::remove(std::size_t flow) {
    if (!slots_[flow]) return;
    if (listener_) listener_(flow, std::nullopt);
    const Slot before = std::exchange(slots_[flow], std::nullopt);
    --taken_;
    changed(flow, before);
}

void Table::lapse(std::size_t flow) {
    lapsed_[flow] = now_;
    remove(flow);
}

void Table::clear() {
    for (std::size_t flow = 0; flow < slots_.size(); ++flow)
        remove(flow);
}

void Table::restore(std::vector<Slot> slots) {
    clear();
    for (std::size_t flow = 0; flow < slots.size(); ++flow)
        if (slots[flow]) write(flow, *slots[flow]);
}

void Table::set_known(std::set<sync::TargetId> targets) {
    known_ = std::move(targets);
    ++version_;
    changed_ = now_;
}

void Table::changed(std::size_t flow, const Slot& before) {
    const auto seen = [](const Slot& slot) {
        return slot && slot->state == State::established ? slot->target : 0;
    };
    if (seen(before) == seen(slots_[flow])) return;
    ++version_;
    changed_ = now_;
}

// ---- SessionStore ----

std::size_t Table::number_of(const sync::Flow& flow) const {
    const auto number = truth_.number_of(flow);
    if (!number) throw Violation("a flow was made up: " + flow.source.to_string());
    return *number;
}

std::uint32_t Table::established_limit(sync::ServiceId id) const {
    return id == service ? plan_.limit : 0;
}

bool Table::knows(sync::ServiceId id, sync::TargetId target) const {
    return id == service && known_.contains(target);
}

std::optional<sync::StoredSession> Table::find(const sync::Flow& flow) const {
    Slot found = slots_[number_of(flow)];
    if (found && !known_.contains(found->target)) found->target = 0;
    return found;
}

sync::SessionStore::Put Table::put(const sync::Flow& flow, const sync::StoredSession& session) {
    const std::size_t number = number_of(flow);
    if (!knows(flow.service, session.target)) return Put::unknown_target;
    judge_put(number, session);
    return write(number, session) ? Put::stored : Put::no_room;
}

void Table::erase(const sync::Flow& flow) {
    const std::size_t number = number_of(flow);
    const Slot& here = slots_[number];
    const bool own = here && here->state == State::established && !here->from_peer;
    if (own && !goes_on_elsewhere(number, *here)) judge_end_of_own(number, *here);
    remove(number);
}

void Table::walk(
    std::uint32_t part, std::uint32_t parts,
    const std::function<void(const sync::Flow&, const sync::StoredSession&)>& visit) const {
    for (std::size_t flow = part; flow < slots_.size(); flow += parts) {
        const Slot slot = slots_[flow];
        if (slot && slot->state != State::unproven && known_.contains(slot->target))
            visit(truth_.flow(flow), *slot);
    }
}

// ---- what a replica may write ----

void Table::judge_put(std::size_t flow, const sync::StoredSession& session) const {
    if (session.state == State::unproven)
        throw Violation(called(flow) + ": written as unproven by the replica");
    if (!session.from_peer) throw Violation(called(flow) + ": a peer's word is written as our own");
    if (!truth_.last_packet(flow, session.target))
        throw Violation(called(flow) + ": replicated with target " +
                        std::to_string(session.target) + ", which it never had");
    const Time seen = clock_.world_time(session.seen, now_);
    Time last = *truth_.last_packet(flow);
    if (const auto end = truth_.last_end(flow); end && *end > last) last = *end;
    if (seen > last + tolerance)
        throw Violation(called(flow) + ": its last packet is said to be " +
                        std::to_string((seen - last) / 1ms) + " ms younger than it is");
    const Slot& here = slots_[flow];
    if (here && here->state == State::established && !here->from_peer)
        judge_over_own(flow, *here, session);
}

void Table::judge_over_own(std::size_t flow, const sync::StoredSession& here,
                           const sync::StoredSession& session) const {
    if (session.state == State::closing) return judge_end_of_own(flow, here);
    if (session.target == here.target || !known_.contains(here.target)) return;
    const Time own = clock_.world_time(here.seen, now_);
    if (*truth_.last_packet(flow, session.target) < own - tolerance)
        throw Violation(called(flow) + ": goes on here, and was moved to target " +
                        std::to_string(session.target) + " by what is older");
}

// At a backend that cannot be stored here: no better one is known, but the one
// here is wrong. Or the one here is no longer known: the next packet would not
// go there either.
bool Table::goes_on_elsewhere(std::size_t flow, const sync::StoredSession& here) const {
    if (!known_.contains(here.target)) return true;
    const Time own = clock_.world_time(here.seen, now_);
    for (std::size_t number = 0; number < plan_.targets; ++number) {
        const sync::TargetId target = Truth::target(number);
        const auto last = truth_.last_packet(flow, target);
        if (last && !known_.contains(target) && *last >= own - tolerance) return true;
    }
    return false;
}

void Table::judge_end_of_own(std::size_t flow, const sync::StoredSession& here) const {
    const Time own = clock_.world_time(here.seen, now_);
    const auto end = truth_.last_end(flow);
    if (!end || *end < own - tolerance)
        throw Violation(called(flow) + ": goes on here, and was ended by what is older");
}

}  // namespace bascule::sim
