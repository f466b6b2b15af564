// SPDX-License-Identifier: Apache-2.0
// Tells a program of the operator's what has happened: one run an event, one at a time, in order.
//
// Nothing ever waits for it. Events queue up while a program runs; of too many the oldest is
// dropped and counted, since the newest says how things are. Failures are counted, and logged
// at most once a minute. Thread: control.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "model/config.h"
#include "node/event_log.h"

namespace bascule::node {

class Hook {
public:
    static constexpr std::size_t most_waiting = 256;

    explicit Hook(boost::asio::io_context& io);
    // Kills what runs, and forgets what waits.
    ~Hook();
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;

    // From the next run on. Without a command events are forgotten, those that wait too.
    void set_config(const model::HookConfig& config, const std::string& node_name);

    // Changes of backends, services and VIPs; other events are none of its business. Returns at
    // once: not even a fork happens before the loop's next turn.
    void on(const Event& event);

    std::size_t waiting() const;
    std::uint64_t runs() const;      // that ended, also badly
    std::uint64_t failures() const;  // of these: not started, late, or an exit code other than 0
    std::uint64_t dropped() const;

private:
    struct State;
    std::shared_ptr<State> state_;  // the coroutine's as well
};

}  // namespace bascule::node
