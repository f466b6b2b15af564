// SPDX-License-Identifier: Apache-2.0
#include "node/cluster.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "node/cluster_options.h"
#include "node/session_bridge.h"
#include "node/version.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto look_interval = 100ms;  // at the session thread's view
constexpr auto longest_leave = 1s;
constexpr auto longest_hand_over = 1s;
// Messages about the shared map that the control thread has not taken yet.
constexpr int most_untaken = 64;

// What the session thread has of it; used there alone. Handlers that come too late find nothing.
struct There {
    std::unique_ptr<Replication> replication;
    std::atomic<int> untaken{0};
};

}  // namespace

struct Cluster::Impl : std::enable_shared_from_this<Impl> {
    Impl(asio::io_context& control_thread, const model::Config& config,
         const sync::ClusterKeys& keys, ClusterParts& parts)
        : control(control_thread),
          worker(parts.worker),
          shared(parts.shared),
          events(parts.events),
          bridge(parts.sessions, std::move(parts.clock)),
          watch(peers_of(config), config.cluster->nodes.front().addresses.size()),
          interval(config.cluster->heartbeat_interval),
          listening(listening_time(*config.cluster)) {
        view.peers = peers_of(config);
        view.began = std::chrono::steady_clock::now();
        view.alone = true;
        view.facts.release = version;
        note_keys(keys);
    }

    // What throws half-way through begin() leaves no thread that speaks to one that is gone.
    ~Impl() {
        if (vips) vips->set_port(nullptr);
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
    std::unique_ptr<ClusterVips> vips;
    std::unique_ptr<sync::HeartbeatPort> heartbeats;
    asio::steady_timer timer{control};
    bool looking = false;  // the session thread has been asked and has not answered
    bool leaving = false;
    bool handing_over = false;
    bool ended = false;
    SessionIds ids;
    std::vector<std::vector<bool>> paths_alive;  // as the streams were told

    // ---- beginning and end ----

    void begin(const model::Config& config, const sync::ClusterKeys& keys, ClusterParts& parts) {
        const auto incarnation = random_incarnation();
        open_vips(config, parts);
        open_heartbeats(config, keys, incarnation);
        open_replication(replication_options(config, keys, incarnation, parts.sessions), keys);
        shared.set_sender(
            [box = there, io = &worker.io()](std::size_t peer, sync::StreamMessage message) {
                asio::post(*io, [box, peer, message = std::move(message)] {
                    if (box->replication) box->replication->send(peer, message);
                });
            });
        look_later();
    }

    void open_vips(const model::Config& config, ClusterParts& parts) {
        ClusterVips::Callbacks callbacks;
        callbacks.on_here = std::move(parts.on_here);
        callbacks.on_takers = std::move(parts.on_takers);
        callbacks.on_told = [this](std::vector<PeerWatch::Told> told) { add(std::move(told)); };
        callbacks.on_witness = [this] { say_facts(); };
        vips = std::make_unique<ClusterVips>(control, config, parts.guard, parts.epochs, listening,
                                             parts.kept, std::move(callbacks));
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
        vips->set_callbacks(callbacks);
        heartbeats = std::make_unique<sync::HeartbeatPort>(
            control,
            sync::HeartbeatPortOptions{*config.cluster, config.node.name, incarnation, version,
                                       vips->options(config)},
            keys, std::move(callbacks));
        vips->set_port(heartbeats.get());
    }

    void open_replication(ReplicationOptions options, const sync::ClusterKeys& keys) {
        Replication::Callbacks callbacks;
        callbacks.answer_to = [port = heartbeats.get()](std::size_t peer) {
            return port->words_for(peer);
        };
        callbacks.on_answer = [port = heartbeats.get()](std::size_t peer,
                                                        const std::string& heartbeat,
                                                        sync::Moment asked) {
            port->stream_answered(peer, heartbeat, asked);
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
        if (vips) vips->set_port(nullptr);
        heartbeats.reset();
        vips.reset();  // what the heartbeats have said last is carried out first
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

    void lose(std::size_t peer) {
        post_there([peer](Replication& replication) { replication.lose(peer); });
    }

    void on_change(const sync::MembershipChange& change) {
        if (change.to == sync::Liveness::dead) lose(change.peer);
        if (auto told = watch.on_change(change))
            events.add(told->kind, std::move(told->subject), std::move(told->text));
    }

    void on_report(const sync::HeartbeatReport& report) {
        view.heartbeats = report;
        view.alone = std::none_of(report.peers.begin(), report.peers.end(), lives);
        for (std::size_t peer = 0; peer < report.peers.size(); ++peer) {
            const sync::PeerView& each = report.peers[peer];
            // It lives, and so is not found dead, while its stream may hang for long: a node that
            // took that for being in step would take its VIPs back.
            if (watch.has_left_paths(peer, each)) lose(peer);
            if (!lives(each) || each.incarnation == 0) continue;
            shared.on_peer_digest(peer, each.facts.shared_digest);
            if (!watch.is_new(peer, each.incarnation)) continue;
            post_there([peer, incarnation = each.incarnation](Replication& replication) {
                replication.set_incarnation(peer, incarnation);
            });
        }
        tell_paths(report);
        vips->on_heartbeats(report);
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
        next.witness = vips->view().witness;
        next.shared_digest = shared.map().digest();
        next.release = version;
        view.facts = next;
        if (!heartbeats) return;
        if (next != said) heartbeats->set_facts(next);
        said = next;
        say_fitness();
    }
    sync::NodeFacts said;

    void say_fitness() {
        if (!own_fitness) return;
        sync::OwnFitness next = *own_fitness;
        next.synced = view.facts.synced;
        next.witness = !vips->view().cut_off;
        next.leaving = handing_over;
        if (std::exchange(fitness_said, true) && next == view.fitness) return;
        view.fitness = next;
        heartbeats->set_fitness(next);
    }
    std::optional<sync::OwnFitness> own_fitness;  // what the daemon knows of it
    bool fitness_said = false;

    // Nothing is held here any more that anybody could take.
    bool has_handed_over() const {
        const auto& heard = view.heartbeats.vips;
        return std::none_of(heard.begin(), heard.end(),
                            [](const auto& vip) { return has_it(vip.role) && !vip.next.empty(); });
    }

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
                 const model::Tables& tables, const sync::ClusterKeys& keys, ClusterParts parts)
    : impl_(std::make_shared<Impl>(control, config, keys, parts)) {
    set_tables(tables);
    impl_->begin(config, keys, parts);
}

Cluster::~Cluster() {
    impl_->end();
}

void Cluster::set_facts(const sync::NodeFacts& facts, const sync::OwnFitness& fitness) {
    impl_->view.facts = facts;
    impl_->own_fitness = fitness;
    impl_->say_facts();
}

bool Cluster::move_vip(const Address& vip) {
    return impl_->heartbeats->move_vip(sync::vip_id(vip));
}

void Cluster::release_others(const model::Config& next) {
    impl_->vips->release_others(next);
}

void Cluster::set_vips(const model::Config& config) {
    impl_->vips->set_config(config);
}

void Cluster::look_at(const std::string& interface) {
    impl_->vips->look_at(interface);
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

asio::awaitable<void> Cluster::leave(bool hand_over) {
    const auto self = impl_;
    asio::steady_timer timer(self->control);
    const auto until = [&timer](auto done, auto time) -> asio::awaitable<void> {
        const auto end = std::chrono::steady_clock::now() + time;
        while (!done() && std::chrono::steady_clock::now() < end) {
            timer.expires_after(5ms);
            boost::system::error_code ignored;
            co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
    };
    if (hand_over) {
        self->handing_over = true;
        self->say_facts();
        co_await until([&] { return self->has_handed_over(); }, longest_hand_over);
    }
    self->leaving = true;
    self->say_facts();
    // The streams close behind what they have; some heartbeats say meanwhile that it is meant.
    const auto closed = std::make_shared<std::atomic<bool>>(false);
    self->post_there(
        [closed](Replication& replication) { replication.close([closed] { *closed = true; }); });
    const auto said = std::chrono::steady_clock::now() +
                      std::min<std::chrono::nanoseconds>(3 * self->interval, longest_leave);
    co_await until([&] { return *closed && std::chrono::steady_clock::now() >= said; },
                   longest_leave);
}

const ClusterView& Cluster::view() const {
    return impl_->view;
}

const ClusterVipsView& Cluster::vips() const {
    return impl_->vips->view();
}

}  // namespace bascule::node
