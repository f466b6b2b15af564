// SPDX-License-Identifier: Apache-2.0
#include "sim/streams.h"

#include <algorithm>
#include <utility>

#include "sync/codec.h"

namespace bascule::sim {
namespace {

constexpr Time retry_least = 50ms;
constexpr Time retry_most = 400ms;
constexpr Time retransmission = 100ms;
constexpr Time handshake_limit = 500ms;
constexpr Time watch_every = 250ms;
constexpr Time answer_lasts = 1s;  // as in sync/stream_connection.cpp

}  // namespace

Streams::Streams(const Plan& plan, Schedule& schedule, const Paths& paths, Random& random)
    : plan_(plan), schedule_(schedule), paths_(paths), random_(random) {
    for (std::size_t one = 0; one < plan.nodes; ++one)
        for (std::size_t other = one + 1; other < plan.nodes; ++other)
            pairs_.push_back({.one = one, .other = other, .at = {}});
}

Streams::Pair& Streams::pair_of(std::size_t one, std::size_t other) {
    return const_cast<Pair&>(std::as_const(*this).pair_of(one, other));
}

const Streams::Pair& Streams::pair_of(std::size_t one, std::size_t other) const {
    if (one > other) std::swap(one, other);
    // Pairs stand in order of `one`, then `other`.
    return pairs_[one * (2 * plan_.nodes - one - 1) / 2 + (other - one - 1)];
}

bool Streams::stalled(const Connection& connection) const {
    return !paths_.carries_stream(connection.nodes[0], connection.nodes[1], connection.path);
}

bool Streams::still(std::size_t node) const {
    return !ends_[node]->is_running() || ends_[node]->paused_until() > schedule_.now();
}

bool Streams::carries_records(const Connection& connection) {
    for (const Direction& out : connection.out)
        for (const Piece& piece : out.pieces) {
            if (!piece.frame) continue;
            const auto* bytes = reinterpret_cast<const std::uint8_t*>(piece.frame->data());
            const auto message = sync::decode({bytes + 4, piece.frame->size() - 4});
            if (!message || !*message) continue;
            const auto* repair = std::get_if<sync::Repair>(&**message);
            const auto* supply = std::get_if<sync::Supply>(&**message);
            if (repair != nullptr && !repair->records.empty()) return true;
            if (supply != nullptr && !supply->records.empty()) return true;
        }
    return false;
}

bool Streams::carries_records() const {
    return std::ranges::any_of(pairs_, [](const Pair& pair) {
        return std::ranges::any_of(pair.at,
                                   [](const Held& held) { return held && carries_records(*held); });
    });
}

bool Streams::is_up(std::size_t node, std::size_t peer) const {
    const Pair& pair = pair_of(node, peer);
    const std::size_t side = node == pair.one ? 0 : 1;
    return pair.at[side] != nullptr && pair.at[side]->out[side].may_send;
}

bool Streams::joins(std::size_t one, std::size_t other) const {
    const Pair& pair = pair_of(one, other);
    return is_up(one, other) && is_up(other, one) && pair.at[0] == pair.at[1] &&
           !stalled(*pair.at[0]);
}

// ---- connections ----

void Streams::start() {
    for (Pair& pair : pairs_)
        try_connect(pair);
    watch();
}

void Streams::try_connect(Pair& pair) {
    const Time again = Time(random_.between(retry_least.count(), retry_most.count()));
    schedule_.after(again, [this, &pair] { try_connect(pair); });
    if (pair.at[0] != nullptr || still(pair.one)) return;
    const std::size_t path = pair.next_path++ % paths_.count();
    if (!paths_.carries_stream(pair.one, pair.other, path) || !ends_[pair.other]->is_running())
        return;
    const Time there = paths_.way(pair.one, pair.other, path).delay;
    schedule_.after(4 * there, [this, &pair, path] { connect(pair, path); });
}

void Streams::connect(Pair& pair, std::size_t path) {
    if (pair.at[0] != nullptr || still(pair.one) || !ends_[pair.other]->is_running()) return;
    // The kernel takes the connection of one who stands still; the handshake
    // waits for him.
    if (ends_[pair.other]->paused_until() > schedule_.now() + handshake_limit) return;
    if (!paths_.carries_stream(pair.one, pair.other, path)) return;
    // A new one replaces what the other end still holds.
    if (pair.at[1] != nullptr) drop_end(pair.at[1], 1);
    auto connection = std::make_shared<Connection>();
    connection->nodes[0] = pair.one;
    connection->nodes[1] = pair.other;
    connection->path = path;
    for (std::size_t side = 0; side < 2; ++side) {
        connection->last_moved[side] = schedule_.now();
        pair.at[side] = connection;
    }
    for (std::size_t side = 0; side < 2; ++side)
        put(connection, side,
            {.frame = ends_[connection->nodes[side]]->hello_to(connection->nodes[1 - side])});
    changed_ = schedule_.now();
}

void Streams::drop_end(const Held& held, std::size_t side) {
    const Held connection = held;  // the pair forgets it below
    if (!connection->alive[side]) return;
    connection->alive[side] = false;
    changed_ = schedule_.now();
    Pair& pair = pair_of(connection->nodes[0], connection->nodes[1]);
    if (pair.at[side] == connection) pair.at[side] = nullptr;
    const std::size_t node = connection->nodes[side];
    const bool was_open = connection->out[side].may_send;
    connection->out[side].may_send = false;
    if (!connection->alive[1 - side]) discard(*connection);
    if (was_open && ends_[node]->is_running())
        ends_[node]->on_stream_down(connection->nodes[1 - side]);
    // The other end is told by the network, when that works, or finds out by
    // itself.
    schedule_.after(1ms, [this, connection, side] {
        if (!stalled(*connection)) drop_end(connection, 1 - side);
    });
}

void Streams::discard(Connection& connection) {
    for (Direction& direction : connection.out) {
        underway_ -= direction.pieces.size();
        direction.pieces.clear();
        direction.bytes = 0;
    }
}

void Streams::disconnect(std::size_t node, std::size_t peer) {
    Pair& pair = pair_of(node, peer);
    const std::size_t side = node == pair.one ? 0 : 1;
    if (pair.at[side] != nullptr) drop_end(pair.at[side], side);
}

void Streams::reset(std::size_t one, std::size_t other) {
    disconnect(one, other);
    disconnect(other, one);
}

void Streams::crashed(std::size_t node, bool told) {
    for (Pair& pair : pairs_) {
        if (pair.one != node && pair.other != node) continue;
        const std::size_t side = node == pair.one ? 0 : 1;
        const Held connection = pair.at[side];
        if (connection == nullptr) continue;
        if (told) {
            drop_end(connection, side);
        } else {
            // Not a word: the host has lost its power.
            connection->alive[side] = false;
            connection->out[side].may_send = false;
            pair.at[side] = nullptr;
            changed_ = schedule_.now();
            if (!connection->alive[1 - side]) discard(*connection);
        }
    }
}

// Who hears nothing for long gives up. On a stream that works something comes
// every second.
void Streams::watch() {
    for (Pair& pair : pairs_) {
        for (std::size_t side = 0; side < 2; ++side) {
            const Held connection = pair.at[side];
            if (connection == nullptr || still(connection->nodes[side])) continue;
            const std::size_t peer = connection->nodes[1 - side];
            const bool speaks =
                connection->alive[1 - side] && !stalled(*connection) && !still(peer);
            if (speaks)
                connection->last_moved[side] = schedule_.now();
            else if (schedule_.now() - connection->last_moved[side] >= plan_.stream_silence)
                drop_end(connection, side);
        }
    }
    schedule_.after(watch_every, [this] { watch(); });
}

// ---- bytes ----

void Streams::opened(std::size_t node, std::size_t peer) {
    Pair& pair = pair_of(node, peer);
    const std::size_t side = node == pair.one ? 0 : 1;
    const Held connection = pair.at[side];
    if (connection == nullptr) return;
    connection->out[side].may_send = true;
    changed_ = schedule_.now();
    fill(connection, side);
}

void Streams::wake(std::size_t from, std::size_t to) {
    const Pair& pair = pair_of(from, to);
    const std::size_t side = from == pair.one ? 0 : 1;
    if (pair.at[side] != nullptr) fill(pair.at[side], side);
}

void Streams::fill(const Held& held, std::size_t side) {
    const Held connection = held;
    Direction& out = connection->out[side];
    while (connection->alive[side] && out.may_send && out.bytes < plan_.most_unsent) {
        sync::Frame frame = ends_[connection->nodes[side]]->next_frame(connection->nodes[1 - side]);
        if (frame == nullptr) return;
        put(connection, side, {.frame = std::move(frame)});
    }
}

void Streams::probe(std::size_t from, std::size_t to) {
    const Pair& pair = pair_of(from, to);
    const std::size_t side = from == pair.one ? 0 : 1;
    if (is_up(from, to)) put(pair.at[side], side, {.frame = nullptr, .asked = schedule_.now()});
}

void Streams::put(const Held& connection, std::size_t side, Piece piece) {
    Direction& out = connection->out[side];
    const std::size_t size = piece.frame == nullptr ? 0 : piece.frame->size();
    const Time taken(
        static_cast<std::int64_t>(static_cast<double>(size) * 1e3 / plan_.bytes_a_microsecond));
    const Way& way =
        paths_.way(connection->nodes[side], connection->nodes[1 - side], connection->path);
    Time late = way.delay;
    // What the network loses is sent again; all behind it waits.
    for (int again = 0; again < 4 && random_.chance(way.loss); ++again)
        late += retransmission;
    out.last_ready = std::max(out.last_ready, schedule_.now()) + taken;
    piece.ready = out.last_ready + late;
    out.bytes += size;
    out.pieces.push_back(std::move(piece));
    ++underway_;
    move(connection, side);
}

void Streams::move(const Held& connection, std::size_t side) {
    Direction& out = connection->out[side];
    if (out.moving || out.pieces.empty()) return;
    out.moving = true;
    schedule_.at(out.pieces.front().ready, [this, connection, side] {
        Direction& direction = connection->out[side];
        direction.moving = false;
        if (direction.pieces.empty()) return;
        StreamEnd& receiver = *ends_[connection->nodes[1 - side]];
        if (!connection->alive[1 - side]) {
            // Nobody is there; the sender is told by who is in his place.
            if (!stalled(*connection) && receiver.is_running()) return drop_end(connection, side);
            direction.pieces.front().ready = schedule_.now() + retransmission;
        } else if (stalled(*connection)) {
            direction.pieces.front().ready = schedule_.now() + retransmission;
        } else if (receiver.paused_until() > schedule_.now()) {
            direction.pieces.front().ready = receiver.paused_until() + 1us;
        } else {
            const Piece piece = std::move(direction.pieces.front());
            direction.pieces.pop_front();
            --underway_;
            if (piece.frame != nullptr) direction.bytes -= piece.frame->size();
            deliver(connection, side, piece);
            if (!still(connection->nodes[side])) fill(connection, side);
        }
        move(connection, side);
    });
}

void Streams::deliver(const Held& connection, std::size_t side, const Piece& piece) {
    const std::size_t from = connection->nodes[side];
    const std::size_t to = connection->nodes[1 - side];
    connection->last_moved[1 - side] = schedule_.now();
    if (piece.frame != nullptr) {
        ends_[to]->on_frame(from, *piece.frame);
    } else if (piece.answer) {
        if (schedule_.now() - piece.asked <= answer_lasts)
            ends_[to]->on_stream_answer(from, *piece.answer, piece.asked);
    } else if (connection->alive[1 - side]) {
        put(connection, 1 - side,
            {.frame = nullptr,
             .answer = std::make_shared<sync::Heartbeat>(ends_[to]->words_for(from)),
             .asked = piece.asked});
    }
}

}  // namespace bascule::sim
