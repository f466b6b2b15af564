// SPDX-License-Identifier: Apache-2.0
#include "node/session_bridge.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace bascule::node {

namespace {

using State = sync::StoredSession::State;
using Kind = sync::SessionRecord::Kind;

State state_of(bsc_state state) {
    if (state == BSC_ESTABLISHED) return State::established;
    return state == BSC_CLOSING ? State::closing : State::unproven;
}

dataplane::SessionKey key_of(const sync::Flow& flow, std::uint16_t service) {
    return {flow.source, flow.source_port, flow.destination_port, service};
}

}  // namespace

SessionBridge::SessionBridge(dataplane::SessionTable& table, std::function<std::uint32_t()> clock)
    : table_(table),
      clock_(std::move(clock)),
      published_(std::make_shared<const SessionIds>()),
      seen_(published_) {}

void SessionBridge::set_ids(SessionIds ids) {
    auto next = std::make_shared<const SessionIds>(std::move(ids));
    const std::lock_guard hold(lock_);
    published_.swap(next);
    serial_.fetch_add(1, std::memory_order_release);
}

std::shared_ptr<const SessionIds> SessionBridge::ids() const {
    newest();
    return seen_;
}

const SessionIds& SessionBridge::newest() const {
    if (serial_.load(std::memory_order_acquire) != seen_serial_) {
        const std::lock_guard hold(lock_);
        seen_ = published_;
        seen_serial_ = serial_.load(std::memory_order_relaxed);
    }
    return *seen_;
}

std::optional<sync::SessionRecord> SessionBridge::record_of(const bsc_delta& delta) const {
    const SessionIds& ids = newest();
    const auto* service = ids.service(delta.service);
    if (service == nullptr) return std::nullopt;
    Address::Bytes source;
    std::memcpy(source.data(), delta.be_source, source.size());
    const sync::Flow flow{Address(source), ntohs(delta.be_source_port),
                          ntohs(delta.be_destination_port), service->id};
    const auto session = table_.find(key_of(flow, service->slot));
    const bool proven = session && state_of(session->state) != State::unproven;
    if (!proven) {
        const auto* was = ids.target(delta.service, delta.backend, delta.generation);
        if (delta.kind != BSC_DELTA_CLOSED || was == nullptr) return std::nullopt;
        return sync::SessionRecord{Kind::closed, flow, was->id, delta.seconds};
    }
    const auto* target = ids.target(delta.service, session->backend, session->generation);
    const bool closing = session->state == BSC_CLOSING;
    // Established and a peer's: its word came after what is announced here.
    if (target == nullptr || (!closing && session->from_peer)) return std::nullopt;
    return sync::SessionRecord{closing ? Kind::closed : Kind::established, flow, target->id,
                               clock_() - session->idle};
}

std::optional<sync::SessionRecord> SessionBridge::ended(const dataplane::Session& session) const {
    sync::Flow flow;
    sync::StoredSession stored;
    if (!describe(session, flow, stored)) return std::nullopt;
    return sync::SessionRecord{Kind::ended, flow, stored.target, stored.seen};
}

bool SessionBridge::describe(const dataplane::Session& session, sync::Flow& flow,
                             sync::StoredSession& stored) const {
    return describe(newest(), session, clock_(), flow, stored);
}

bool SessionBridge::describe(const SessionIds& ids, const dataplane::Session& session,
                             std::uint32_t now, sync::Flow& flow, sync::StoredSession& stored) {
    const auto* service = ids.service(session.key.service);
    const auto* target = ids.target(session.key.service, session.backend, session.generation);
    if (service == nullptr || target == nullptr) return false;
    flow = {session.key.source, session.key.source_port, session.key.destination_port, service->id};
    stored = {state_of(session.state), session.from_peer, target->id, now - session.idle};
    return true;
}

std::uint32_t SessionBridge::established_limit(sync::ServiceId service) const {
    const auto* found = newest().service_by_id(service);
    return found == nullptr ? 0 : found->established_limit;
}

bool SessionBridge::knows(sync::ServiceId service, sync::TargetId target) const {
    return newest().target_by_id(service, target) != nullptr;
}

std::optional<sync::StoredSession> SessionBridge::find(const sync::Flow& flow) const {
    const SessionIds& ids = newest();
    const auto* service = ids.service_by_id(flow.service);
    if (service == nullptr) return std::nullopt;
    const auto session = table_.find(key_of(flow, service->slot));
    if (!session) return std::nullopt;
    const auto* target = ids.target(service->slot, session->backend, session->generation);
    return sync::StoredSession{state_of(session->state), session->from_peer,
                               target == nullptr ? 0 : target->id, clock_() - session->idle};
}

SessionBridge::Put SessionBridge::put(const sync::Flow& flow, const sync::StoredSession& session) {
    if (session.state == State::unproven)
        throw std::logic_error("a session that is not proven is nobody else's business");
    dataplane::Session wanted;
    wanted.state = session.state == State::closing ? BSC_CLOSING : BSC_ESTABLISHED;
    wanted.from_peer = session.from_peer;
    // Seen a moment ahead of our clock is now.
    const auto idle = static_cast<std::int32_t>(clock_() - session.seen);
    wanted.idle = static_cast<std::uint32_t>(std::max(idle, 0));

    const std::lock_guard hold(lock_);
    const auto* service = published_->service_by_id(flow.service);
    const auto* target = published_->target_by_id(flow.service, session.target);
    if (service == nullptr || target == nullptr || !service->fits(flow)) return Put::unknown_target;
    wanted.key = key_of(flow, service->slot);
    wanted.backend = target->backend;
    wanted.generation = target->generation;
    return table_.put(wanted) ? Put::stored : Put::no_room;
}

void SessionBridge::erase(const sync::Flow& flow) {
    const std::lock_guard hold(lock_);
    if (const auto* service = published_->service_by_id(flow.service))
        table_.erase(key_of(flow, service->slot));
}

void SessionBridge::walk(
    std::uint32_t part, std::uint32_t parts,
    const std::function<void(const sync::Flow&, const sync::StoredSession&)>& visit) const {
    const auto held = ids();
    const std::uint32_t now = clock_();
    table_.walk(part, parts, [&](const dataplane::Session& session) {
        sync::Flow flow;
        sync::StoredSession stored;
        if (describe(*held, session, now, flow, stored)) visit(flow, stored);
    });
}

}  // namespace bascule::node
