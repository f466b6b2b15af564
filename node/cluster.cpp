// SPDX-License-Identifier: Apache-2.0
#include "node/cluster.h"

#include <openssl/rand.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "node/session_bridge.h"
#include "node/version.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto look_interval = 100ms;  // at the session thread's view
constexpr auto longest_leave = 1s;
// Messages about the shared map that the control thread has not taken yet.
constexpr int most_untaken = 64;

sync::Incarnation random_incarnation() {
    sync::Incarnation value = 0;
    while (value == 0)
        if (RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value) != 1)
            throw std::runtime_error("no random bytes");
    return value;
}

std::vector<model::ClusterNodeConfig> peers_of(const model::Config& config) {
    std::vector<model::ClusterNodeConfig> peers;
    for (const auto& node : config.cluster->nodes)
        if (node.name != config.node.name) peers.push_back(node);
    return peers;
}

// A step of a walk over the table looks at so many ways at most: about a millisecond of work when
// they are empty, some when they are full.
std::uint32_t walk_parts(const dataplane::SessionTable& table) {
    constexpr std::uint64_t ways_in_a_step = 32'768;
    constexpr std::uint64_t least = 64;
    const std::uint64_t ways = 2 * (table.capacity_v4() + table.capacity_v6());
    return static_cast<std::uint32_t>(std::max(least, ways / ways_in_a_step));
}

ReplicationOptions replication_options(const model::Config& config, const sync::ClusterKeys& keys,
                                       sync::Incarnation incarnation, std::uint32_t walk_parts) {
    ReplicationOptions options;
    options.cluster = *config.cluster;
    options.self = config.node.name;
    options.incarnation = incarnation;
    options.release = version;
    options.walk_parts = walk_parts;
    for (const auto& peer : peers_of(config))
        options.peers.push_back(peer.name);
    static_assert(sizeof options.fingerprint_key == sizeof keys.ring);
    std::memcpy(options.fingerprint_key.data(), keys.ring.data(), keys.ring.size());
    return options;
}

// By then every peer that lives was heard, and has shown that it is no replay.
std::chrono::nanoseconds listening_time(const model::ClusterConfig& cluster) {
    constexpr std::chrono::nanoseconds least = 1s;
    const std::chrono::nanoseconds interval = cluster.heartbeat_interval;
    return std::max(least, 2 * cluster.dead_after * interval);
}

// What the session thread has of it; used there alone. Handlers that come too late find nothing.
struct There {
    std::unique_ptr<Replication> replication;
    std::atomic<int> untaken{0};
};

}  // namespace

struct Cluster::Impl : std::enable_shared_from_this<Impl> {
    Impl(asio::io_context& control_thread, const model::Config& config,
         const sync::ClusterKeys& keys, SessionWorker& session_worker,
         dataplane::SessionTable& table, std::function<std::uint32_t()> clock,
         SharedState& shared_state, EventLog& event_log)
        : control(control_thread),
          worker(session_worker),
          shared(shared_state),
          events(event_log),
          bridge(table, std::move(clock)),
          watch(peers_of(config), config.cluster->nodes.front().addresses.size()),
          interval(config.cluster->heartbeat_interval),
          listening(listening_time(*config.cluster)) {
        view.peers = peers_of(config);
        view.began = std::chrono::steady_clock::now();
        view.alone = true;
        view.facts.release = version;
        note_keys(keys);
    }

    asio::io_context& control;
    SessionWorker& worker;
    SharedState& shared;
    EventLog& events;
    SessionBridge bridge;
    PeerWatch watch;
    std::chrono::milliseconds interval;
    std::chrono::nanoseconds listening;
    ClusterView view;
    std::shared_ptr<There> there = std::make_shared<There>();
    std::unique_ptr<sync::HeartbeatPort> heartbeats;
    asio::steady_timer timer{control};
    bool looking = false;  // the session thread has been asked and has not answered
    bool leaving = false;
    bool ended = false;
    SessionIds ids;
    std::vector<std::vector<bool>> paths_alive;  // as the streams were told

    // ---- beginning and end ----

    void begin(const model::Config& config, const sync::ClusterKeys& keys, std::uint32_t parts) {
        const auto incarnation = random_incarnation();
        open_heartbeats(config, keys, incarnation);
        open_replication(replication_options(config, keys, incarnation, parts), keys);
        shared.set_sender(
            [box = there, io = &worker.io()](std::size_t peer, sync::StreamMessage message) {
                asio::post(*io, [box, peer, message = std::move(message)] {
                    if (box->replication) box->replication->send(peer, message);
                });
            });
        look_later();
    }

    void open_heartbeats(const model::Config& config, const sync::ClusterKeys& keys,
                         sync::Incarnation incarnation) {
        sync::HeartbeatPort::Callbacks callbacks;
        callbacks.on_change = [this](const sync::MembershipChange& change) { on_change(change); };
        callbacks.on_report = [this](const sync::HeartbeatReport& report) { on_report(report); };
        callbacks.probe_stream = [box = there, io = &worker.io()](std::size_t peer) {
            asio::post(*io, [box, peer] {
                if (box->replication) box->replication->probe(peer);
            });
        };
        heartbeats = std::make_unique<sync::HeartbeatPort>(
            control,
            sync::HeartbeatPortOptions{*config.cluster, config.node.name, incarnation, version},
            keys, std::move(callbacks));
    }

    void open_replication(ReplicationOptions options, const sync::ClusterKeys& keys) {
        Replication::Callbacks callbacks;
        callbacks.on_answer = [port = heartbeats.get()](std::size_t peer) {
            port->stream_answered(peer);
        };
        callbacks.on_connected = [self = weak_from_this(), io = &control](std::size_t peer) {
            asio::post(*io, [self, peer] {
                if (const auto here = self.lock(); here && !here->ended)
                    here->shared.on_connected(peer);
            });
        };
        callbacks.on_shared = [self = weak_from_this(), io = &control, box = there](
                                  std::size_t peer, const sync::StreamMessage& message) {
            if (box->untaken >= most_untaken) return false;
            ++box->untaken;
            asio::post(*io, [self, box, peer, message] {
                --box->untaken;
                if (const auto here = self.lock(); here && !here->ended)
                    here->shared.on_message(peer, message);
            });
            return true;
        };
        worker.run([&] {
            there->replication = std::make_unique<Replication>(worker.io(), std::move(options),
                                                               keys, bridge, std::move(callbacks));
            worker.set_listener(there->replication.get());
        });
    }

    void end() {
        ended = true;
        timer.cancel();
        shared.set_sender(nullptr);
        worker.run([this] {
            worker.set_listener(nullptr);
            there->replication.reset();
        });
        heartbeats.reset();
    }

    // Runs it on the session thread, when that comes to it.
    template <typename Task>
    void post_there(Task task) {
        asio::post(worker.io(), [box = there, task = std::move(task)] {
            if (box->replication) task(*box->replication);
        });
    }

    void note_keys(const sync::ClusterKeys& keys) {
        view.key = sync::fingerprint(keys.keys.front());
        view.accepted_keys = keys.keys.size();
    }

    // ---- what is heard ----

    void add(std::vector<PeerWatch::Told> told) {
        for (auto& event : told)
            events.add(event.kind, std::move(event.subject), std::move(event.text));
    }

    void on_change(const sync::MembershipChange& change) {
        if (change.to == sync::Liveness::dead)
            post_there([peer = change.peer](Replication& replication) { replication.lose(peer); });
        if (auto told = watch.on_change(change))
            events.add(told->kind, std::move(told->subject), std::move(told->text));
    }

    void on_report(const sync::HeartbeatReport& report) {
        view.heartbeats = report;
        view.alone = std::none_of(report.peers.begin(), report.peers.end(), lives);
        for (std::size_t peer = 0; peer < report.peers.size(); ++peer) {
            const sync::PeerView& each = report.peers[peer];
            if (!lives(each) || each.incarnation == 0) continue;
            shared.on_peer_digest(peer, each.facts.shared_digest);
            if (!watch.is_new(peer, each.incarnation)) continue;
            post_there([peer, incarnation = each.incarnation](Replication& replication) {
                replication.set_incarnation(peer, incarnation);
            });
        }
        tell_paths(report);
        say_facts();
        add(watch.on_heartbeats(report, view.facts, std::chrono::steady_clock::now()));
        view.notes = watch.peers();
    }

    // To the streams, which prefer paths that live.
    void tell_paths(const sync::HeartbeatReport& report) {
        paths_alive.resize(report.peers.size());
        for (std::size_t peer = 0; peer < report.peers.size(); ++peer) {
            const auto& paths = report.peers[peer].paths;
            auto& known = paths_alive[peer];
            const bool first = known.size() != paths.size();
            known.resize(paths.size());
            for (std::size_t path = 0; path < paths.size(); ++path) {
                const bool alive = paths[path].heard && paths[path].hears_us;
                if (!first && known[path] == alive) continue;
                known[path] = alive;
                post_there([peer, path, alive](Replication& replication) {
                    replication.set_path_alive(peer, path, alive);
                });
            }
        }
    }

    void say_facts() {
        sync::NodeFacts next = view.facts;
        const bool listened = std::chrono::steady_clock::now() - view.began >= listening;
        view.synced = is_in_step(view.heartbeats, view.replication, listened);
        next.synced = view.synced;
        next.leaving = leaving;
        next.shared_digest = shared.map().digest();
        next.release = version;
        view.facts = next;
        if (next == said) return;
        said = next;
        heartbeats->set_facts(next);
    }
    sync::NodeFacts said;

    // ---- what the session thread sees ----

    void look_later() {
        timer.expires_after(look_interval);
        timer.async_wait([self = weak_from_this()](const boost::system::error_code& error) {
            const auto here = self.lock();
            if (error || !here || here->ended) return;
            here->look();
            here->look_later();
        });
    }

    void look() {
        if (std::exchange(looking, true)) return;
        post_there([self = weak_from_this(), io = &control](Replication& replication) {
            asio::post(*io, [self, seen = replication.view()]() mutable {
                if (const auto here = self.lock(); here && !here->ended)
                    here->on_look(std::move(seen));
            });
        });
    }

    void on_look(ReplicationView seen) {
        looking = false;
        view.replication = std::move(seen);
        add(watch.on_replication(view.replication, view.heartbeats,
                                 std::chrono::steady_clock::now()));
        view.notes = watch.peers();
        view.unopened = watch.unopened();
        say_facts();
    }
};

Cluster::Cluster(asio::io_context& control, const model::Config& config,
                 const model::Tables& tables, const sync::ClusterKeys& keys, SessionWorker& worker,
                 dataplane::SessionTable& sessions, std::function<std::uint32_t()> clock,
                 SharedState& shared, EventLog& events)
    : impl_(std::make_shared<Impl>(control, config, keys, worker, sessions, std::move(clock),
                                   shared, events)) {
    set_tables(tables);
    impl_->begin(config, keys, walk_parts(sessions));
}

Cluster::~Cluster() {
    impl_->end();
}

void Cluster::set_facts(const sync::NodeFacts& facts) {
    impl_->view.facts = facts;
    impl_->say_facts();
}

void Cluster::set_keys(const sync::ClusterKeys& keys) {
    impl_->note_keys(keys);
    impl_->heartbeats->set_keys(keys);
    impl_->post_there([keys](Replication& replication) { replication.set_keys(keys); });
}

void Cluster::retire(const model::Plan& plan) {
    if (retires_ids(plan)) impl_->bridge.set_ids(impl_->ids.without_retired(plan));
}

void Cluster::set_tables(const model::Tables& tables) {
    impl_->ids = SessionIds(tables);
    impl_->bridge.set_ids(impl_->ids);
    impl_->post_there([](Replication& replication) { replication.targets_changed(); });
}

asio::awaitable<void> Cluster::leave() {
    const auto self = impl_;
    self->leaving = true;
    self->say_facts();
    // The streams close behind what they have; some heartbeats say meanwhile that it is meant.
    const auto closed = std::make_shared<std::atomic<bool>>(false);
    self->post_there(
        [closed](Replication& replication) { replication.close([closed] { *closed = true; }); });
    const auto began = std::chrono::steady_clock::now();
    const auto said = began + std::min<std::chrono::nanoseconds>(3 * self->interval, longest_leave);
    asio::steady_timer timer(self->control);
    while (std::chrono::steady_clock::now() < said ||
           (!*closed && std::chrono::steady_clock::now() < began + longest_leave)) {
        timer.expires_after(10ms);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

const ClusterView& Cluster::view() const {
    return impl_->view;
}

}  // namespace bascule::node
