// SPDX-License-Identifier: Apache-2.0
// Checks all targets, each by a coroutine of its own, and tells what changes.
//
// Starts are spread, so that ten thousand targets do not fire together; each then keeps its phase.
// A probe that outlasts its interval delays the next one: there is never more than one of a target
// under way. Beside it there may be a second look at a backend that is silent (diagnose.h), one a
// target and most_second_looks in all. Thread: that of the io_context (control).
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "health/outcome.h"
#include "health/probe.h"
#include "health/record.h"
#include "health/target.h"

namespace bascule::health {

class Checker {
public:
    static constexpr std::size_t most_second_looks = 64;

    struct Hooks {
        // Where the target's next probe goes. An Outcome: it cannot be sent, and why (counts as a
        // result). Nothing: not known yet, ask again soon (counts as none). Asked for right before
        // each probe.
        std::function<std::variant<Destination, Outcome, std::monostate>(const Target&)>
            destination;
        // A probe by the VIP failed: the outcome as it is better told by what the data plane saw of
        // it (ICMP, an answer from another port, the probe itself come back). Nullopt: nothing was
        // seen. Called before the damper gets the outcome. What timed out and was not explained is
        // looked into by a second look at the backend's own address (diagnose.h), whose words are
        // those of the time-outs that follow, and of this one as soon as they are there. Not set:
        // nothing is ever seen.
        std::function<std::optional<Outcome>(const Target&, const Outcome&)> explain;
        // Health or weight of a target has changed; or, while it is down, the reason (at most once
        // a second); or a hold-down alone keeps it down from now on (kept_down). Called from the
        // checker's handlers; may call find() and all(), not set_targets().
        std::function<void(const Record&, bool health_changed)> on_change;
        // What is to be believed of a new target until its first result: up or down as the tables
        // of an earlier process have it, else `checking`. Not set: `checking`.
        std::function<Health(const Target&)> initial;
    };

    Checker(boost::asio::io_context& io, Hooks hooks, MakeProbe make = make_probe);
    ~Checker();  // ends all probes at once; no hook is called any more

    // From now on these and no others; of two of the same name the first counts. A target of the
    // same name whose backend (address and port) is the same keeps its health, history and phase,
    // also when its health table has changed. What cannot be made (an unreadable certificate) fails
    // with the reason and is tried again at its interval. Targets of type `none` are not given.
    void set_targets(std::vector<Target> targets);

    const Record* find(const TargetName& name) const;
    std::vector<const Record*> all() const;  // by name
    // Whether every target has had a first result.
    bool all_judged() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bascule::health
