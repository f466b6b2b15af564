// SPDX-License-Identifier: Apache-2.0
// What the daemon shows by HTTP, at the address of [http]: `/metrics` and a page that names it.
//
// Values are gathered on the control thread; the text, which is megabytes where backends come by
// the thousand, is made on a thread of its own, at most once a second however many ask. Thread:
// control.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "base/result.h"
#include "model/config.h"
#include "node/http_server.h"
#include "node/soon.h"

namespace bascule::node {

class Daemon;

class HttpDesk {
public:
    HttpDesk(boost::asio::io_context& io, const Daemon& daemon);

    // Listens where this configuration says. On failure it listens where it did before.
    Result<void> follow(const model::Config& config);
    // The same; what fails is a problem, and tried again.
    void keep(const model::Config& config);

    // Why nothing is listened at where the configuration says; empty: it is.
    const std::string& problem() const { return problem_; }

private:
    using Text = std::shared_ptr<const std::string>;

    boost::asio::awaitable<HttpAnswer> answer(std::string path);
    boost::asio::awaitable<HttpAnswer> metrics();
    boost::asio::awaitable<void> make_text();
    bool is_vip(const Address& address) const;

    const Daemon& daemon_;
    HttpServer server_;
    Soon again_;
    std::string problem_;
    Text text_;  // of the last metrics; nullptr: none yet
    std::chrono::steady_clock::time_point made_;
    bool making_ = false;
    boost::asio::steady_timer made_now_;  // ends when `making_` does
    boost::asio::thread_pool writer_{1};  // goes first: its last work is waited for
};

}  // namespace bascule::node
