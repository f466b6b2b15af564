// SPDX-License-Identifier: Apache-2.0
// The daemon's part in its cluster: beginning, reload, what it says of itself, and what is said by
// others of backends.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "model/vip_id.h"
#include "node/cluster_keys.h"
#include "node/cluster_options.h"
#include "node/daemon.h"
#include "node/ring_key.h"
#include "node/routeless.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// What restarts the channels when it changes. Not so: a key file elsewhere, which is read, no more;
// and what decides who holds VIPs, which takeover is told.
std::optional<model::ClusterConfig> channels_of(const model::Config& config) {
    auto channels = config.cluster;
    if (!channels) return channels;
    channels->key_file.clear();
    channels->failback = {};
    channels->failback_delay = {};
    channels->witness.clear();
    for (auto& node : channels->nodes)
        node.priority = 0;
    return channels;
}

bool same_channels(const model::Config& one, const model::Config& other) {
    return channels_of(one) == channels_of(other) && one.node.name == other.node.name;
}

std::string in_words(const sync::ClusterKeys& keys) {
    return fmt::format("cluster key: speaks by {}, accepts {}",
                       sync::fingerprint(keys.keys.front()), keys.keys.size());
}

// Of a node that is in no cluster any more, and whose tables stand by the cluster's ring secret: it
// cannot change under traffic, and the next start reads the node's own. Empty: they are the same.
std::string ring_to_come(const std::string& state_dir, const std::array<std::uint64_t, 2>& runs) {
    const auto own = load_ring_key(state_dir);
    if (own && *own == runs) return "";
    return fmt::format(
        "ring secret: still the cluster's; this node's own ({}/ring.key) takes effect at the next "
        "start, and flows without a session may change their backend then{}",
        state_dir, own ? "" : "; it cannot be read: " + own.error().text());
}

}  // namespace

// The ring secret of a cluster is its key file's; a node by itself has one of its own.
Result<void> Daemon::read_secrets(const model::Config& config) {
    auto keys = read_keys(config);
    if (!keys) return failure(std::move(keys.error()));
    keys_ = std::move(*keys);
    if (keys_) {
        ring_key_ = ring_words(keys_->ring);
        return {};
    }
    auto own = load_ring_key(options_.state_dir);
    if (!own) return failure(std::move(own.error()));
    ring_key_ = *own;
    return {};
}

Result<void> Daemon::open_cluster(const model::Config& config, std::vector<Address> kept) {
    cluster_problem_.clear();
    if (!config.cluster) return {};
    try {
        // Anew for each beginning: above all that this node has claimed, also in this run.
        epochs_ = std::make_unique<EpochFile>(EpochFile::open(options_.state_dir + "/epoch"));
        ClusterParts parts{*worker_,
                           dataplane_->sessions(),
                           [this] { return dataplane_->seconds(); },
                           *shared_,
                           events_,
                           dataplane_->vip_guard(),
                           *epochs_,
                           std::move(kept),
                           [this](const Address& vip, bool here) { on_vip_held(vip, here); },
                           [this](const std::set<Address>& vips) { takers_.set(vips); }};
        cluster_ =
            std::make_unique<Cluster>(io_, config, dataplane_->tables(), *keys_, std::move(parts));
    } catch (const std::exception& error) {
        cluster_problem_ = fmt::format("cluster {}: {}", config.cluster->name, error.what());
        return failure(cluster_problem_);
    }
    say_facts();
    return {};
}

asio::awaitable<std::vector<std::string>> Daemon::follow_cluster(
    const model::Config& before, const model::Config& next, std::optional<sync::ClusterKeys> keys) {
    std::vector<std::string> lines;
    const bool same_keys = keys == keys_;
    keys_.swap(keys);  // not assigned: those that go are wiped with their owner
    if (!same_channels(before, next) || !cluster_problem_.empty()) {
        // What ends on purpose is no death to the peers, also where it begins anew. VIPs are handed
        // over but where this node is to keep them by itself.
        co_await leave(next.cluster.has_value());
        follow_shared(next);
        std::vector<Address> kept;
        if (next.cluster)
            kept = vip_duty_->rest();
        else
            lines = take_up_vips(next);
        if (auto opened = open_cluster(next, std::move(kept)); !opened) {
            spdlog::error("{}", opened.error().text());
            lines.push_back(opened.error().text());
        }
    } else if (cluster_ && !same_keys) {
        cluster_->set_keys(*keys_);
    }
    if (keys_ && !same_keys) lines.push_back(in_words(*keys_));
    if (before.cluster && !next.cluster)
        if (auto line = ring_to_come(options_.state_dir, ring_key_); !line.empty())
            lines.push_back(std::move(line));
    co_return lines;
}

asio::awaitable<void> Daemon::leave(bool hand_over) {
    if (!cluster_) co_return;
    co_await cluster_->leave(hand_over);
    cluster_.reset();
    takers_.end();
}

// ---- its VIPs ----

// Whoever is left in the cluster takes the VIPs of who leaves it.
Result<void> Daemon::may_be_alone(const model::Config& next) const {
    if (!cluster_ || next.cluster) return {};
    for (const auto& peer : cluster_->view().heartbeats.peers) {
        if (!lives(peer)) continue;
        for (const auto& vip : next.vips)
            if (state_->is_held(vip.address))
                return failure(fmt::format(
                    "[cluster] cannot be left while peer {} is alive and VIP {} is on this host: "
                    "both would have that address. Stop basculed there first",
                    peer.name, vip.address.to_string()));
    }
    return {};
}

// The lease that takeover gave them becomes none, and Linux answers for them as it likes.
std::vector<std::string> Daemon::take_up_vips(const model::Config& config) {
    std::vector<std::string> lines;
    if (auto kept = dataplane_->vip_guard().keep({}); !kept) lines.push_back(kept.error().text());
    vip_duty_->wake();
    vip_duty_->keep(config);
    for (const auto& [vip, status] : vips_->status())
        if (!status.problem.empty()) lines.push_back(status.problem);
    settle();
    return lines;
}

// Where the channels change too, a part in the cluster that begins anew brings the rest.
void Daemon::follow_vips(const model::Config& before, const model::Config& next) {
    if (cluster_ && same_channels(before, next)) cluster_->set_vips(next);
}

// ---- the shared map ----

void Daemon::follow_shared(const model::Config& config) {
    shared_->set_self(config.node.name);
    if (config.cluster)
        shared_->set_cluster(config.cluster->name, config.cluster->nodes.size());
    else
        shared_->set_cluster("", 1);
    shared_->set_listener([this](const std::vector<std::string>& keys) { on_shared(keys); });
}

// A peer's word counts as the operator's own.
void Daemon::on_shared(const std::vector<std::string>& keys) {
    const auto changed = state_->words().follow(keys);
    if (changed.empty()) return;
    for (const BackendName& backend : changed) {
        const OperatorWord* word = state_->words().find(backend);
        const std::string on = state_->words().said_on(backend);
        events_.add(Event::Kind::operator_word, backend.first + "/" + backend.second,
                    fmt::format("{}{}", in_words(word != nullptr ? *word : OperatorWord{}),
                                on.empty() ? "" : " (said on " + on + ")"));
    }
    if (!running()) return;
    settle();
    state_->drains().follow(state_->config(), state_->words(), std::chrono::steady_clock::now());
}

// ---- what it says of itself ----

void Daemon::say_facts() {
    if (!cluster_) return;
    sync::NodeFacts facts;
    const auto& interfaces = state_->config().node.interfaces;
    const auto attachments = dataplane_->attachments();
    const auto is_attached = [&](const std::string& name) {
        return std::any_of(attachments.begin(), attachments.end(),
                           [&](const auto& each) { return each.interface == name && each.alive; });
    };
    const auto has_carrier = [&](const std::string& name) {
        const auto link = links_->get(name);
        return link && link->carrier;
    };
    facts.attached = std::all_of(interfaces.begin(), interfaces.end(), is_attached);
    facts.links_up = std::all_of(interfaces.begin(), interfaces.end(), has_carrier);
    sync::OwnFitness fitness;
    fitness.attached = facts.attached;
    if (const auto& cluster = state_->config().cluster)
        for (const auto& node : cluster->nodes)
            if (node.name == state_->config().node.name)
                fitness.hears = hearing_.can_hear(node, state_->config().vips);
    for (const auto& vip : state_->config().vips)
        fitness.vips.push_back({.vip = sync::vip_id(vip.address),
                                .wanted = state_->wants_vip(vip.address),
                                .carrier = has_carrier(vip.interface),
                                .routed = is_routed(*state_, vip.address)});
    facts.config_hash = loaded_.cluster_hash;
    facts.ring_hash = ring_hash_;
    cluster_->set_facts(facts, fitness);
}

void Daemon::every_second() {
    every_second_.within(1s);
    shared_->upkeep();
    if (!running()) return;
    say_facts();
    const model::Config& config = state_->config();
    if (cluster_problem_.empty() || !config.cluster || busy()) return;
    const std::string before = cluster_problem_;
    if (!open_cluster(config, {}) && cluster_problem_ != before)
        spdlog::error("{}; trying again", cluster_problem_);
}

}  // namespace bascule::node
