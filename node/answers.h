// SPDX-License-Identifier: Apache-2.0
// Answers to the operator's command: from the daemon's values to the control protocol's messages.
// Thread: control.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "control/control.pb.h"
#include "node/capture.h"
#include "node/daemon.h"
#include "node/event_answers.h"

namespace bascule::node {

class Answers {
public:
    // `end` is called once a detach is done, or has failed too late to go on: the daemon stops
    // after the answer has gone out.
    Answers(Daemon& daemon, std::function<void()> end)
        : daemon_(daemon), end_(std::move(end)), captures_(daemon), events_(daemon.events()) {}

    boost::asio::awaitable<control::Response> answer(control::Request request);
    // Whoever waits for events gets what there is: the daemon is about to stop.
    void end_waits() { events_.end_waits(); }

private:
    control::Response status() const;
    control::Response services() const;
    control::Response backends(const control::ShowBackendsRequest& ask) const;
    control::Response sessions(const control::ShowSessionsRequest& ask) const;
    control::Response drops() const;
    control::Response drain(const control::BackendRequest& ask);
    control::Response disable(const control::BackendRequest& ask);
    control::Response enable(const control::BackendRequest& ask);
    control::Response set_weight(const control::SetWeightRequest& ask);
    control::Response change(const std::string& backend,
                             const std::function<void(OperatorWord&)>& edit);
    boost::asio::awaitable<control::Response> reload();
    boost::asio::awaitable<control::Response> detach();

    Daemon& daemon_;
    std::function<void()> end_;
    CaptureDesk captures_;
    EventDesk events_;
};

}  // namespace bascule::node
