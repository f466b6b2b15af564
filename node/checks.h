// SPDX-License-Identifier: Apache-2.0
// Joins the checker with the rest: targets from the configuration, destinations from the tables,
// reasons from the data plane; verdicts go to State and become events.
//
// Thread: control.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "dataplane/dataplane.h"
#include "health/checker.h"
#include "node/event_log.h"
#include "node/probe_words.h"
#include "node/state.h"

namespace bascule::node {

class Checks {
public:
    // A verdict or weight is in State, and the tables should follow at once.
    using OnChange = std::function<void()>;
    Checks(boost::asio::io_context& io, dataplane::Dataplane& dataplane, State& state,
           EventLog& events, OnChange on_change);

    // Checks the backends of State's configuration from now on: to be called whenever that changes.
    // What State believes of a backend counts until its first results.
    void follow();
    // Backends may stand in other slots than before.
    void slots_changed() { slots_stand_ = false; }

    const health::Checker& checker() const { return checker_; }
    // Whether no backend waits for its first verdict.
    bool all_judged() const;
    // Why no probe by a VIP can be sent; empty: they can. Those probes fail with it.
    void set_path_problem(std::string problem) { path_problem_ = std::move(problem); }
    const std::string& path_problem() const { return path_problem_; }

private:
    // What a target is in the configuration, by place, and in the tables.
    struct Subject {
        std::size_t service = 0;
        std::size_t backend = 0;
        std::optional<std::uint16_t> slot;
        std::int64_t probed_at = 0;  // nanoseconds of CLOCK_MONOTONIC
        std::uint32_t weight_percent = 100;
        health::Health told = health::Health::checking;              // in events
        std::optional<std::chrono::system_clock::time_point> since;  // of `told`, where it is known
        bool kept_down = false;
        Explanation explanation;
    };
    using Whither = std::variant<health::Destination, health::Outcome, std::monostate>;

    health::Checker::Hooks hooks();
    Whither destination(const health::Target& target);
    Whither by_vip(const health::Target& target, Subject& subject);
    std::optional<health::Outcome> explain(const health::Target& target,
                                           const health::Outcome& outcome);
    std::optional<dataplane::ProbeNote> note_of(const Subject& subject) const;
    void on_change(const health::Record& record, bool health_changed);
    void tell(Subject& subject, const health::Record& record);
    void take_weights();

    Subject* find(const health::TargetName& name);
    const model::ServiceConfig& service_of(const Subject& subject) const;
    const model::BackendConfig& backend_of(const Subject& subject) const;
    void find_slots();
    void choose_sources();
    void choose_sources_again();

    dataplane::Dataplane& dataplane_;
    State& state_;
    EventLog& events_;
    OnChange on_change_;
    std::map<health::TargetName, Subject> subjects_;
    std::map<Address, Address> sources_;  // of probes by VIP; none: there is no address for it
    std::chrono::steady_clock::time_point sources_chosen_;
    std::set<Address> known_sources_;  // to the data plane
    bool slots_stand_ = false;
    std::string path_problem_;
    health::Checker checker_;  // its hooks use the rest
};

}  // namespace bascule::node
