// SPDX-License-Identifier: Apache-2.0
#include "sync/heartbeat_thread.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <set>
#include <stdexcept>
#include <utility>

#include "sync/codec.h"
#include "sync/codec_bounds.h"
#include "sync/realtime.h"

namespace bascule::sync {
namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 1s;  // at paths that may have come or gone
constexpr auto report_every = 100ms;

Moment monotonic() {
    return std::chrono::steady_clock::now();
}

WallMilliseconds wall() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<WallMilliseconds>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

// The first of a row of moments that is after `now`.
Moment next_after(Moment last, Nanoseconds distance, Moment now) {
    if (now < last) return last;
    return last + ((now - last) / distance + 1) * distance;
}

timespec until(Moment then, Moment now) {
    const auto left = std::max<Nanoseconds>(then - now, 0ns);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    return {static_cast<time_t>(seconds.count()), static_cast<long>((left - seconds).count())};
}

const model::ClusterNodeConfig& own_node(const HeartbeatPortOptions& options) {
    for (const auto& node : options.cluster.nodes)
        if (node.name == options.self) return node;
    throw std::logic_error("this node is none of its cluster");
}

std::vector<HeartbeatSocket> make_paths(const HeartbeatPortOptions& options) {
    const auto& own = own_node(options);
    std::vector<HeartbeatSocket> out;
    for (std::size_t path = 0; path < own.addresses.size(); ++path) {
        std::vector<model::Endpoint> peers;
        for (const auto& node : options.cluster.nodes)
            if (&node != &own) peers.push_back(node.addresses.at(path));
        out.emplace_back(own.addresses[path], std::move(peers), options.cluster.heartbeat_interval);
    }
    return out;
}

MembershipOptions membership_options(const HeartbeatPortOptions& options) {
    MembershipOptions out;
    out.self = options.self;
    out.incarnation = options.incarnation;
    out.interval = options.cluster.heartbeat_interval;
    out.dead_after = options.cluster.dead_after;
    out.peers = peers_of(options.cluster, options.self);
    out.paths = own_node(options).addresses.size();
    out.wire = true;
    out.release = options.release;
    return out;
}

}  // namespace

std::vector<std::string> peers_of(const model::ClusterConfig& cluster, const std::string& self) {
    std::vector<std::string> out;
    for (const auto& node : cluster.nodes)
        if (node.name != self) out.push_back(node.name);
    return out;
}

TakeoverOptions takeover_options(const HeartbeatPortOptions& options, TakeoverOptions takeover) {
    takeover.self = options.self;
    takeover.interval = options.cluster.heartbeat_interval;
    takeover.dead_after = options.cluster.dead_after;
    std::set<VipId> known;
    for (const TakeoverVip& vip : takeover.vips)
        if (vip.priority > most_claimed_priority || !known.insert(vip.vip).second)
            throw std::invalid_argument("takeover: a VIP twice, or of too great a priority");
    if (known.size() > most_vips || takeover.epoch_floor > most_epoch)
        throw std::invalid_argument("takeover: too many VIPs, or too great an epoch");
    return takeover;
}

HeartbeatThread::HeartbeatThread(const HeartbeatPortOptions& options, std::unique_ptr<Seals> seals,
                                 const HeartbeatPort::Callbacks& callbacks, HeartbeatInbox& inbox,
                                 HeartbeatOutbox& outbox)
    : interval_(options.cluster.heartbeat_interval),
      membership_(membership_options(options), monotonic()),
      vips_(takeover_options(options, options.takeover), peers_of(options.cluster, options.self),
            callbacks, monotonic()),
      seals_(std::move(seals)),
      paths_(make_paths(options)),
      wire_(interval_),
      wire_places_(options.cluster.nodes.size() - 1),
      batch_(std::make_unique<DatagramBatch>()),
      probe_stream_(callbacks.probe_stream),
      inbox_(inbox),
      outbox_(outbox) {}

void HeartbeatThread::run() {
    priority_ = take_realtime_priority("heartbeat", Urgency::heartbeat);
    last_tick_ = last_refill_ = due_ = next_look_ = next_report_ = monotonic();
    while (!inbox_.stop.load(std::memory_order_acquire)) {
        // What has come counts before anybody is held for silent.
        for (std::size_t path = 0; path < paths_.size(); ++path)
            read_path(path);
        read_wire();
        read_mail();
        const Moment now = monotonic();
        if (now >= next_look_) {
            for (HeartbeatSocket& path : paths_)
                path.look_after();
            wire_.look_after();
            next_look_ = now + look_every;
        }
        if (now >= due_) tick(now);
        if (std::exchange(look_, false)) look(0ns, now);
        set_due();
        if (now >= next_report_ || !changes_.empty() || vips_.has_news()) report(now);
        wait();
    }
}

void HeartbeatThread::wait() {
    std::array<pollfd, model::most_cluster_paths + 2> ready{};
    std::size_t count = 0;
    ready[count++] = {inbox_.wake_up.fd(), POLLIN, 0};
    for (const HeartbeatSocket& path : paths_)
        ready.at(count++) = {path.readable(), POLLIN, 0};
    ready.at(count++) = {wire_.readable(), POLLIN, 0};
    const Moment next = std::min({due_, next_look_, next_report_});
    const timespec time = until(next, monotonic());
    const bool any = ::ppoll(ready.data(), count, &time, nullptr) > 0;
    for (std::size_t path = 0; path <= paths_.size(); ++path)  // the last one is the wire
        announced_.at(path) = any && ready.at(path + 1).revents != 0;
}

void HeartbeatThread::read_mail() {
    // First of all: what is put after this rings again.
    inbox_.wake_up.clear();
    if (auto seals = inbox_.seals.take()) seals_ = std::move(seals);
    if (const auto facts = inbox_.facts.take()) membership_.set_facts(*facts);
    if (vips_.read(inbox_)) look_ = true;
    if (auto links = inbox_.wire_links.take()) wire_.set_links(std::move(*links));
    if (const auto places = inbox_.wire.take()) ask_on_wire(*places, monotonic());
    for (std::size_t peer = 0; peer < inbox_.answers.size(); ++peer) {
        const auto answer = inbox_.answers[peer].take();
        if (!answer) continue;
        const Moment now = monotonic();
        MembershipOutput output =
            membership_.on_stream_answer(peer, answer->said, answer->asked, now, wall());
        look_ = look_ || output.counted;
        carry_out(std::move(output), now);
    }
}

void HeartbeatThread::read_path(std::size_t path) {
    paths_[path].read(
        *batch_,
        [this, path](std::size_t peer, auto datagram) { on_datagram(path, peer, datagram); },
        std::exchange(announced_.at(path), false));
}

void HeartbeatThread::on_datagram(std::size_t path, std::size_t peer,
                                  std::span<const std::uint8_t> datagram) {
    auto opened = seals_->opener.open(datagram);
    // What a peer has said is not heard from another one's address: somebody repeats it.
    if (opened.why == Unopened::none && opened.peer != peer) opened.why = Unopened::unknown_sender;
    if (opened.why != Unopened::none) return paths_[path].count_unopened(opened.why);
    const Moment now = monotonic();
    MembershipOutput output = membership_.on_heartbeat(peer, path, opened.heartbeat, now, wall());
    look_ = look_ || output.counted;
    carry_out(std::move(output), now);
}

// ---- the link of the VIPs ----

void HeartbeatThread::read_wire() {
    wire_.read(
        *batch_, [this](const WirePlace& from, auto frame) { on_frame(from, frame); },
        std::exchange(announced_.at(paths_.size()), false));
}

void HeartbeatThread::ask_on_wire(const std::vector<WirePlace>& places, Moment now) {
    wire_suspects_.assign(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                               places.size(), most_wire_places)));
    membership_.ask_by_wire(now);
}

void HeartbeatThread::on_frame(const WirePlace& from, std::span<const std::uint8_t> frame) {
    const auto opened = seals_->opener.open(frame);
    if (opened.why != Unopened::none) return wire_.count_unopened(opened.why);
    const Moment now = monotonic();
    MembershipOutput output =
        membership_.on_heartbeat(opened.peer, paths_.size(), opened.heartbeat, now, wall());
    // Whoever passes on what a peer has said may be answered: it is sealed, and to that peer.
    if (output.counted) wire_places_.at(opened.peer) = from;
    look_ = look_ || output.counted;
    carry_out(std::move(output), now);
}

// To where it was heard; while it is not heard, to whoever claims a VIP of this node.
bool HeartbeatThread::send_by_wire(std::size_t peer, std::span<const std::uint8_t> datagram) {
    if (membership_.heard_by_wire(peer)) return wire_.send(wire_places_.at(peer), datagram);
    bool sent = false;
    for (const WirePlace& place : wire_suspects_)
        sent = wire_.send(place, datagram) || sent;
    return sent;
}

// ---- time ----

void HeartbeatThread::tick(Moment now) {
    last_tick_ = now;
    if (now - last_refill_ >= interval_ / 2) {
        last_refill_ = now;
        for (HeartbeatSocket& path : paths_)
            path.refill();
        wire_.refill();
    }
    // What was true before this thread slept is not said once more.
    if (const Nanoseconds slept = membership_.overslept(now); slept > 0ns) look(slept, now);
    carry_out(membership_.on_tick(now, wall()), now);
    look_ = true;
}

// Once for all that has come: what a flood can make it cost is bounded with the reading.
void HeartbeatThread::look(Nanoseconds slept, Moment now) {
    if (vips_.look(membership_, slept, now)) carry_out(membership_.speak(now, wall()), now);
}

// When Membership wants it, whose rounds have fixed distances, or Takeover; at least every
// interval, and never so that all time goes into ticks.
void HeartbeatThread::set_due() {
    const Moment earliest = last_tick_ + interval_ / 16;
    const Moment wanted = std::min(membership_.next_tick(), vips_.next());
    due_ = std::min(last_tick_ + interval_, std::max(wanted, earliest));
}

void HeartbeatThread::carry_out(MembershipOutput output, Moment now) {
    std::uint32_t reached = 0;  // bit i: something has left for peer i
    for (const HeartbeatToSend& heartbeat : output.send)
        // A host that claims a VIP may be a stranger: what goes there promises the peer nothing.
        if (send(heartbeat) &&
            (heartbeat.path < paths_.size() || membership_.heard_by_wire(heartbeat.peer)))
            reached |= std::uint32_t{1} << heartbeat.peer;
    if (output.round) {
        vips_.sent_round(membership_, reached, now);
        put_words(now);
    }
    for (const std::size_t peer : output.probe_streams)
        probe_stream_(peer);
    for (MembershipChange& change : output.changes)
        add_change(changes_, std::move(change), changes_lost_);
    if (output.slept > 0ns) {
        ++slept_;
        slept_longest_ = std::max(slept_longest_, output.slept);
    }
}

// What is said by heartbeats is said by streams, too, to who asks there.
void HeartbeatThread::put_words(Moment now) {
    auto words = std::make_unique<StreamWords>();
    words->until = vips_.speaks_until();
    for (std::size_t peer = 0; peer < wire_places_.size(); ++peer)
        words->to.push_back(encode_heartbeat(membership_.for_stream(peer, now, wall())));
    outbox_.words.put(std::move(words));
}

bool HeartbeatThread::send(const HeartbeatToSend& to_send) {
    const auto datagram = seals_->sealer.seal(to_send.heartbeat);
    if (to_send.path == paths_.size()) return send_by_wire(to_send.peer, datagram);
    return paths_[to_send.path].send(to_send.peer, datagram);
}

void HeartbeatThread::report(Moment now) {
    auto news = outbox_.news.take();  // not read yet: this goes on top of it
    if (!news) {
        news = outbox_.read.take();
        if (!news) news = std::make_unique<HeartbeatNews>();
        news->changes.clear();
        news->report.moves.clear();
    }
    for (MembershipChange& change : changes_)
        add_change(news->changes, std::move(change), changes_lost_);
    changes_.clear();
    news->report.peers = membership_.view(now);
    news->report.paths.clear();
    for (HeartbeatSocket& path : paths_)
        news->report.paths.push_back(path.state());
    news->report.wire = wire_.state();
    news->report.wire_places = wire_places_;
    news->report.slept = slept_;
    news->report.slept_longest = slept_longest_;
    news->report.changes_lost = changes_lost_;
    news->report.priority = priority_;
    vips_.add_to(news->report);
    outbox_.news.put(std::move(news));
    outbox_.wake_up.ring();
    next_report_ = next_after(next_report_, report_every, now);
}

}  // namespace bascule::sync
