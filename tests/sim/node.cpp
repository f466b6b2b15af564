// SPDX-License-Identifier: Apache-2.0
// A node's life, its network and its words. Its packets are in
// node_packets.cpp.
#include "sim/node.h"

#include <utility>

#include "sim/breaking.h"
#include "sim/describe.h"
#include "sync/codec.h"

namespace bascule::sim {
namespace {

constexpr const char* cluster = "sim";
constexpr const char* release = "0.1.0";

sync::MembershipOptions membership_options(const Plan& plan, std::size_t index,
                                           sync::Incarnation incarnation) {
    sync::MembershipOptions options;
    options.self = Node::name(index);
    options.incarnation = incarnation;
    options.interval = plan.interval;
    options.dead_after = plan.dead_after;
    options.paths = plan.paths;
    options.release = release;
    if (plan.newer == index) options.version = options.needs = sync::protocol_version + 1;
    for (std::size_t peer = 0; peer < plan.nodes; ++peer)
        if (peer != index) options.peers.push_back(Node::name(peer));
    return options;
}

sync::ReplicaOptions replica_options(const Plan& plan, std::size_t index,
                                     sync::Incarnation incarnation) {
    sync::ReplicaOptions options;
    options.cluster = cluster;
    options.self = Node::name(index);
    options.incarnation = incarnation;
    options.release = release;
    options.peers = membership_options(plan, index, incarnation).peers;
    options.fingerprint_key = {0x1234, 0x5678};
    options.log_bytes = plan.log_bytes;
    if (plan.breakage == Breakage::no_bound) options.log_bytes *= 1000;
    options.batch_records = 64;
    options.audit_interval = plan.audit_interval;
    options.audit_partitions = sync::partitions;
    options.walk_parts = 2;
    return options;
}

}  // namespace

Node::Running::Running(const Node& node, sync::MembershipOptions its_membership,
                       sync::ReplicaOptions its_replica, Table& table, sync::SharedMap& map)
    : membership(std::move(its_membership), node.local()),
      replica(std::move(its_replica), table, node.local()),
      exchange(map),
      to_send(node.plan_.nodes - 1) {}

Node::Node(std::size_t index, const Plan& plan, Schedule& schedule, Streams& streams, Truth& truth,
           Random& random, Surroundings& world, VipEvents& vip_events)
    : index_(index),
      plan_(plan),
      schedule_(schedule),
      streams_(streams),
      truth_(truth),
      random_(random),
      world_(world),
      vip_events_(vip_events),
      clock_(std::chrono::seconds(random.between(5, 4'000'000)),
             static_cast<double>(random.between(-50, 50))),
      vips_host_(plan.vips),
      table_(plan, truth, clock_, schedule.now()),
      map_(std::make_unique<sync::SharedMap>(name(index))) {
    vips_host_.priorities = plan.priorities[index];
    if (!world.is_shown()) return;
    table_.set_listener([this](std::size_t flow, const Table::Slot& after) {
        world_.say(name(index_) + ": flow " + std::to_string(flow) + " was " +
                   describe(table_.at(flow)) + ", is " + describe(after));
    });
}

// ---- its life ----

void Node::start(bool disk_kept) {
    const auto old = std::exchange(
        map_, std::make_unique<sync::SharedMap>(name(index_), disk_kept ? map_->last_time() : 0));
    if (disk_kept)
        keep_words(*old);
    else
        seen_words_.begin_anew();
    ++run_;
    incarnation_ = random_.next() | 1;
    running_ =
        std::make_unique<Running>(*this, membership_options(plan_, index_, incarnation_),
                                  replica_options(plan_, index_, incarnation_), table_, *map_);
    awake_since_ = schedule_.now();
    paused_until_ = Time(0);
    packets_pass_ = true;
    replica_due_ = Time::max();
    running_->replica.set_wake([this](std::size_t peer) { streams_.wake(index_, node_of(peer)); });
    set_known(table_.known());
    start_vips();
    last_tick_ = schedule_.now() - plan_.interval;
    tick_due_ = schedule_.now() + Time(random_.between(0, plan_.interval.count()));
    look_due_ = false;
    later(tick_due_ - schedule_.now(), [this] { tick_membership(); });
    later(Time(random_.between(0, Time(1s).count())), [this] { tick_sweep(); });
    later(Time(random_.between(0, Time(1s).count())), [this] { tick_second(); });
    want_replica_tick(1ms);
}

void Node::keep_words(const sync::SharedMap& old) {
    for (const auto& [name, item] : old.items()) {
        if (plan_.breakage == Breakage::no_tombstones && item.removed) continue;
        map_->apply(item);
    }
    map_->set_forgotten(old.forgotten());
}

void Node::crash(Death death) {
    if (!running_) return;
    running_.reset();
    ++run_;
    if (paused_until_ <= schedule_.now()) fell_silent_ = schedule_.now();
    packets_pass_ = death == Death::daemon;
    if (death == Death::detached) vips_host_.kernel.attach(false);
    if (death == Death::host) vips_host_.kernel.lose_power();
    streams_.crashed(index_, death != Death::host);
    if (death != Death::host) return;
    table_.clear();
    clock_.reboot(std::chrono::seconds(random_.between(5, 1000)));
}

void Node::pause(Time span) {
    if (!running_) return;
    if (paused_until_ <= schedule_.now()) fell_silent_ = schedule_.now();
    paused_until_ = awake_since_ = std::max(paused_until_, schedule_.now() + span);
}

std::optional<Time> Node::silent_since() const {
    if (!running_ || paused_until_ > schedule_.now()) return fell_silent_;
    return std::nullopt;
}

void Node::later(Time span, Schedule::Action action) {
    schedule_.after(span, [this, run = run_, action = std::move(action)] { resume(run, action); });
}

void Node::resume(std::uint64_t run, const Schedule::Action& action) {
    if (run_ != run || !running_) return;
    // What waits in its sockets is read first.
    if (paused_until_ > schedule_.now())
        schedule_.at(paused_until_ + 2us, [this, run, action] { resume(run, action); });
    else
        action();
}

// ---- streams ----

sync::Frame Node::hello_to(std::size_t peer) {
    return sync::encode(running_->replica.hello(index_of(peer)));
}

void Node::on_hello(std::size_t peer, const sync::Hello& hello) {
    const std::size_t index = index_of(peer);
    if (world_.is_shown())
        world_.say(name(index_) + ": stream with " + name(peer) + ", which has our batch " +
                   std::to_string(hello.received_batch));
    running_->to_send[index].clear();
    running_->replica.on_connected(index, hello, local());
    streams_.opened(index_, peer);
    send_shared(running_->exchange.on_connected(index));
}

void Node::on_frame(std::size_t peer, const std::string& frame) {
    if (!running_) return;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.data());
    auto decoded = sync::decode({bytes + 4, frame.size() - 4});
    if (!decoded) throw Violation("a frame of ours cannot be decoded: " + decoded.error().text());
    if (!*decoded) throw Violation("a frame of ours is of an unknown kind");
    sync::StreamMessage& message = **decoded;
    break_message(plan_, random_, message);
    if (world_.is_shown())
        world_.say(name(index_) + ": from " + name(peer) + ": " + describe(message, truth_));
    if (const auto* hello = std::get_if<sync::Hello>(&message)) return on_hello(peer, *hello);
    const std::size_t index = index_of(peer);
    if (std::holds_alternative<sync::SharedDigests>(message) ||
        std::holds_alternative<sync::SharedItems>(message)) {
        const auto outcome = running_->exchange.on_message(index, message);
        if (outcome.to_keep) seen_words_.judge(*map_);
        return send_shared(outcome.send);
    }
    const auto taken = running_->replica.on_message(index, message, local());
    if (!taken) throw Violation("an honest peer is disconnected: " + taken.error().text());
    want_replica_tick(2ms);
}

void Node::on_stream_down(std::size_t peer) {
    if (world_.is_shown()) world_.say(name(index_) + ": no stream with " + name(peer));
    running_->to_send[index_of(peer)].clear();
    running_->replica.on_disconnected(index_of(peer), local());
}

sync::Frame Node::next_frame(std::size_t peer) {
    if (!running_) return nullptr;
    auto& shared = running_->to_send[index_of(peer)];
    if (shared.empty()) return running_->replica.next_frame(index_of(peer), local());
    const sync::Frame frame = shared.front();
    shared.erase(shared.begin());
    return frame;
}

// ---- words ----

void Node::say_word(const std::string& key, const std::string& value) {
    if (!running_) return;
    const auto made = map_->make(key, value, clock_.wall(schedule_.now()));
    if (!made) throw Violation("a word is refused: " + made.error().text());
    apply_word(*made);
}

void Node::take_back(const std::string& key) {
    if (!running_) return;
    for (const sync::SharedItem& item : map_->make_removal(key, clock_.wall(schedule_.now())))
        apply_word(item);
}

void Node::apply_word(const sync::SharedItem& item) {
    if (map_->apply(item) != sync::SharedMap::Applied::newer)
        throw Violation("what was just said of '" + item.key + "' does not count");
    seen_words_.judge(*map_);
    send_shared(sync::SharedExchange::push({item}));
}

void Node::send_shared(const std::vector<sync::SharedToSend>& messages) {
    for (const sync::SharedToSend& message : messages) {
        const sync::Frame frame = sync::encode(message.message);
        for (std::size_t peer = 0; peer + 1 < plan_.nodes; ++peer) {
            const std::size_t node = node_of(peer);
            const bool meant = message.peer == peer || message.peer == sync::every_peer;
            if (!meant || !streams_.is_up(index_, node)) continue;
            running_->to_send[peer].push_back(frame);
            streams_.wake(index_, node);
        }
    }
}

void Node::tick_second() {
    const std::vector<sync::PeerView> views = peers();
    for (std::size_t peer = 0; peer < views.size(); ++peer)
        if (views[peer].liveness == sync::Liveness::alive)
            running_->exchange.on_peer_digest(peer, views[peer].facts.shared_digest);
    send_shared(running_->exchange.tick());
    if (running_->exchange.in_step() == views.size()) forget_old_words();
    later(1s, [this] { tick_second(); });
}

void Node::forget_old_words() {
    map_->forget(map_->digest());
    if (const auto floor = map_->make_floor(map_->digest(), clock_.wall(schedule_.now())))
        apply_word(*floor);
}

std::vector<sync::PeerView> Node::peers() const {
    return running_->membership.view(local());
}

std::vector<sync::ReplicaPeerView> Node::replica_peers() const {
    return running_->replica.view(local());
}

bool Node::is_in_step_with(std::size_t node) const {
    return running_ && replica_peers()[index_of(node)].synced;
}

}  // namespace bascule::sim
