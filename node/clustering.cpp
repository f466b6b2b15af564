// SPDX-License-Identifier: Apache-2.0
// The daemon's part in its cluster: beginning, reload, what it says of itself, and what is said by
// others of backends.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "node/cluster_keys.h"
#include "node/daemon.h"
#include "node/ring_key.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// What restarts the channels when it changes. (A key file elsewhere is read, no more.)
std::optional<model::ClusterConfig> channels_of(const model::Config& config) {
    auto channels = config.cluster;
    if (channels) channels->key_file.clear();
    return channels;
}

std::string in_words(const sync::ClusterKeys& keys) {
    return fmt::format("cluster key: speaks by {}, accepts {}",
                       sync::fingerprint(keys.keys.front()), keys.keys.size());
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

Result<void> Daemon::open_cluster(const model::Config& config) {
    every_second();
    cluster_problem_.clear();
    if (!config.cluster) return {};
    try {
        cluster_ = std::make_unique<Cluster>(
            io_, config, dataplane_->tables(), *keys_, *worker_, dataplane_->sessions(),
            [this] { return dataplane_->seconds(); }, *shared_, events_);
    } catch (const std::exception& error) {
        cluster_problem_ = fmt::format("cluster {}: {}", config.cluster->name, error.what());
        return failure(cluster_problem_);
    }
    say_facts();
    return {};
}

std::vector<std::string> Daemon::follow_cluster(const model::Config& before,
                                                const model::Config& next,
                                                std::optional<sync::ClusterKeys> keys) {
    std::vector<std::string> lines;
    const bool same_keys = keys == keys_;
    const bool same_channels =
        channels_of(before) == channels_of(next) && before.node.name == next.node.name;
    keys_.swap(keys);  // not assigned: those that go are wiped with their owner
    if (!same_channels || !cluster_problem_.empty()) {
        cluster_.reset();
        follow_shared(next);
        if (auto opened = open_cluster(next); !opened) {
            spdlog::error("{}", opened.error().text());
            lines.push_back(opened.error().text());
        }
    } else if (cluster_ && !same_keys) {
        cluster_->set_keys(*keys_);
    }
    if (keys_ && !same_keys) lines.push_back(in_words(*keys_));
    return lines;
}

asio::awaitable<void> Daemon::leave() {
    if (!cluster_) co_return;
    co_await cluster_->leave();
    cluster_.reset();
}

// ---- the shared map ----

void Daemon::follow_shared(const model::Config& config) {
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
                           [&](const auto& each) { return each.interface == name; });
    };
    const auto has_carrier = [&](const std::string& name) {
        const auto link = links_->get(name);
        return link && link->carrier;
    };
    facts.attached = std::all_of(interfaces.begin(), interfaces.end(), is_attached);
    facts.links_up = std::all_of(interfaces.begin(), interfaces.end(), has_carrier);
    facts.config_hash = loaded_.cluster_hash;
    facts.ring_hash = ring_hash_;
    cluster_->set_facts(facts);
}

void Daemon::every_second() {
    shared_->upkeep();
    if (dataplane_) say_facts();
    every_second_.within(1s);
}

}  // namespace bascule::node
