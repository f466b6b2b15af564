// SPDX-License-Identifier: Apache-2.0
// The shared map of this node: on disk before it counts, handed to peers, and told to who lives by
// it. A node without a cluster has one as well: then nobody else hears of it.
//
// What is said here counts once it is on disk. What peers say counts at once, since the other nodes
// live by it already; a disk that takes nothing is tried again, and told by problem().
//
// Thread: control.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sync/messages.h"
#include "sync/shared_exchange.h"
#include "sync/shared_map.h"

namespace bascule::node {

class SharedState {
public:
    using WallClock = std::function<sync::WallMilliseconds()>;
    static sync::WallMilliseconds system_wall_clock();

    // Reads <state-dir>/shared.json. A file that cannot be understood is an error: to start without
    // it would bring back what was taken away. Takes over <state-dir>/words.json, where an earlier
    // release has left one, and removes it once shared.json holds all of it.
    static Result<std::unique_ptr<SharedState>> load(const std::string& state_dir,
                                                     const std::string& self,
                                                     WallClock wall = system_wall_clock);

    // Says something here: on disk first, then in memory, then to peers. When it fails nothing has
    // changed. To remove what is not there succeeds.
    Result<void> put(const std::string& key, const std::string& value);
    Result<void> remove(const std::string& key);

    const sync::SharedMap& map() const { return map_; }
    // By the hybrid clock as it is now.
    const sync::SharedItem* find(const std::string& key) const;
    std::vector<sync::SharedItem> of_kind(const std::string& kind) const;

    // Told after peers changed something: the keys.
    void set_listener(std::function<void(const std::vector<std::string>& keys)> listener);

    // This node's name. At start, and when the configuration changes it.
    void set_self(const std::string& name);
    // Which cluster this node is in, and how many nodes its configuration has; "" and 1: none. At
    // start, and when the configuration changes.
    void set_cluster(const std::string& name, std::size_t nodes);

    // ---- peers, by numbers that hold until set_sender ----
    // peer == sync::every_peer: to all that are connected. Empty: there is nobody to send to.
    using Sender = std::function<void(std::size_t peer, sync::StreamMessage message)>;
    void set_sender(Sender send);
    void on_message(std::size_t peer, const sync::StreamMessage& message);
    void on_connected(std::size_t peer);
    // Its heartbeats say that it has this digest, whether it is another or the same.
    void on_peer_digest(std::size_t peer, std::uint64_t digest);

    // Every second: writes what could not be written, compares with peers, forgets what all nodes
    // have.
    void upkeep();
    // What is wrong, for the operator; empty: nothing.
    const std::string& problem() const { return problem_; }

private:
    SharedState(std::string state_dir, const std::string& self, WallClock wall);

    Result<void> read();
    Result<void> take_over_words();
    Result<void> say(const std::vector<sync::SharedItem>& items);
    Result<void> write(const sync::SharedMap& map);
    void keep();
    void forget();
    void send(std::vector<sync::SharedToSend> messages);
    void tell_refusal(const std::string& why);
    void judge();

    std::string path_;
    std::string words_path_;
    std::string self_;
    WallClock wall_;
    sync::SharedMap map_;
    sync::SharedExchange exchange_{map_};
    std::string cluster_;  // that `map_.forgotten()` belongs to
    std::size_t nodes_ = 1;
    Sender send_;
    std::function<void(const std::vector<std::string>&)> listener_;
    bool to_keep_ = false;            // the map is not what is on disk
    bool has_earlier_words_ = false;  // words.json is still there
    bool written_lately_ = false;     // since the last upkeep
    std::uint64_t ticks_ = 0;
    std::uint64_t told_refusal_ = 0;  // tick
    std::string disk_problem_;
    std::string problem_;
};

}  // namespace bascule::node
