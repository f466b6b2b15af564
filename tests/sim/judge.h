// SPDX-License-Identifier: Apache-2.0
// What has to hold after every step, and once all has healed. What a replica
// writes is judged where it is written (table.h), and words where they change
// (words.h).
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/node.h"
#include "sim/paths.h"
#include "sim/streams.h"

namespace bascule::sim {

using Nodes = std::vector<std::unique_ptr<Node>>;

class Judge {
public:
    Judge(const Plan& plan, const Schedule& schedule, const Paths& paths, const Streams& streams,
          const Truth& truth, const Nodes& nodes);

    // After every step. Throws Violation.
    void judge();
    void on_change(std::size_t node, const sync::MembershipChange& change) const;
    // Something was done to the network or to a node.
    void on_trouble() { troubled_ = schedule_.now(); }
    // The network is slow from now on: those who are silent are found later.
    void on_delay() { delayed_ = slow_answers_ = true; }
    // A node stands still: answers that it gives are measured to take long.
    void on_slow_answers() { slow_answers_ = true; }
    // Some stream has brought the answer to a question.
    void on_stream_answer() { answered_ = schedule_.now(); }

    // What is not as it has to be once all has healed; empty: all nodes are in
    // step.
    std::string still_apart() const;
    // What may part tables that are equal now; empty: nothing.
    std::string on_its_way() const;
    // Flows whose backends differ; empty: none.
    std::string tables_differ(std::size_t one, std::size_t other) const;

    // Since when heartbeats come without fault, both ways by one path; max: they
    // do not.
    Time clean_since(std::size_t judging, std::size_t judged) const;
    Time heard_cleanly_since(std::size_t judging, std::size_t judged) const;
    Time silent_since(std::size_t judging, std::size_t judged) const;
    // How long it takes to find out that a node is dead.
    Time dead_within() const;
    // The one had heard the other long enough to know its state when that fell
    // silent.
    bool heard_before(std::size_t judging, std::size_t judged, Time silent) const;
    // Something has happened to the stream between any nodes, or anywhere, within
    // `span`.
    bool was_apart_lately(Time span) const {
        return schedule_.now() - std::max(streams_.changed(), troubled_) < span;
    }
    // None of these two has had a stream with the other for `span`.
    bool has_no_stream(std::size_t one, std::size_t other, Time span) const {
        return !streams_.is_up(one, other) && !streams_.is_up(other, one) &&
               schedule_.now() - streams_.changed() >= span;
    }

    // Since when a stream carries both ways between them, nothing being in its way; nullopt: none.
    std::optional<Time> streams_join_since(std::size_t one, std::size_t other) const {
        if (!streams_.joins(one, other)) return std::nullopt;
        return std::max({streams_.changed(), troubled_, nodes_[one]->awake_since(),
                         nodes_[other]->awake_since()});
    }

private:
    void judge_bounds(const Node& node) const;
    void judge_liveness(std::size_t judging, std::size_t judged) const;
    void judge_synced(std::size_t one, std::size_t other);
    bool is_calm() const;
    bool near_its_end(std::size_t flow) const;
    bool lapsed_lately(std::size_t node, std::size_t flow) const;

    const Plan& plan_;
    const Schedule& schedule_;
    const Paths& paths_;
    const Streams& streams_;
    const Truth& truth_;
    const Nodes& nodes_;
    Time troubled_{0};
    bool delayed_ = false;
    bool slow_answers_ = false;
    std::optional<Time> answered_;
    std::vector<std::uint64_t> compared_;  // by pair: sum of the versions that were found equal
};

}  // namespace bascule::sim
