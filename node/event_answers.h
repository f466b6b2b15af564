// SPDX-License-Identifier: Apache-2.0
// Events for the operator's command: what has happened, or a wait for what happens next.
//
// A wait blocks nobody: it looks again now and then. It ends by itself after a while, and at most
// so many wait at a time that other clients of the control socket find room. Thread: control.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "control/control.pb.h"
#include "node/event_log.h"

namespace bascule::node {

// Whether an operator who names a service, a backend or a VIP means the subject of an event:
// "web" is the service, its backends, and every backend of that name.
bool is_about(std::string_view subject, std::string_view name);

class EventDesk {
public:
    static constexpr std::size_t most_waiting = 16;
    static constexpr std::chrono::seconds longest_wait{30};

    explicit EventDesk(const EventLog& log);

    boost::asio::awaitable<control::Response> answer(control::EventsRequest ask);

    // All who wait get what there is; nobody waits any more.
    void end_waits() { *ended_ = true; }

private:
    control::Response found(const control::EventsRequest& ask) const;

    const EventLog& log_;
    std::int64_t began_unix_milliseconds_;
    // A coroutine that waits may outlive the desk by a moment, when the daemon ends.
    std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
    std::shared_ptr<std::size_t> waiting_ = std::make_shared<std::size_t>(0);
};

}  // namespace bascule::node
