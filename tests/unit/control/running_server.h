// SPDX-License-Identifier: Apache-2.0
// The control server on a thread of its own, for tests that meet it from outside.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>

#include "control/server.h"

namespace bascule::control {

class RunningServer {
public:
    RunningServer(ServerOptions options, Answer answer) : work_(boost::asio::make_work_guard(io_)) {
        auto server = Server::open(io_, std::move(options), std::move(answer));
        if (!server) throw std::runtime_error(server.error().text());
        server_ = *std::move(server);
        thread_ = std::thread([this] { io_.run(); });
    }
    ~RunningServer() {
        in_thread([this] { server_.reset(); });
        work_.reset();
        io_.stop();
        thread_.join();
    }
    RunningServer(const RunningServer&) = delete;
    RunningServer& operator=(const RunningServer&) = delete;

    // Runs `what` in the server's thread and waits for it.
    template <typename What>
    std::invoke_result_t<What> in_thread(What what) {
        std::packaged_task<std::invoke_result_t<What>()> task(std::move(what));
        auto result = task.get_future();
        boost::asio::post(io_, [&task] { task(); });
        return result.get();
    }

    // Until no client is left or the grace is over.
    void stop() {
        std::promise<void> stopped;
        in_thread([&] { server_->stop([&] { stopped.set_value(); }); });
        stopped.get_future().get();
    }

    std::size_t clients() {
        return in_thread([this] { return server_->clients(); });
    }
    boost::asio::io_context& io() { return io_; }

private:
    boost::asio::io_context io_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::unique_ptr<Server> server_;
    std::thread thread_;
};

}  // namespace bascule::control
