// SPDX-License-Identifier: Apache-2.0
// A server on loopback, and blocking sockets that talk to it while it runs.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>

#include "node/http_server.h"

namespace bascule::node::testing {

// The server lives on a thread of its own; everything about it is asked there.
class RunningServer {
public:
    explicit RunningServer(
        HttpServer::Handler handler, HttpLimits limits = {},
        HttpServer::Forbidden forbidden = [](const Address&) { return false; })
        : thread_([this] { io_.run(); }) {
        ask([&] {
            server_ =
                std::make_unique<HttpServer>(io_, std::move(handler), std::move(forbidden), limits);
            return 0;
        });
    }
    ~RunningServer() {
        ask([&] {
            server_.reset();
            return 0;
        });
        work_.reset();
        io_.stop();
        thread_.join();
    }

    template <typename Question>
    std::invoke_result_t<Question> ask(Question question) {
        std::packaged_task<std::invoke_result_t<Question>()> task(question);
        auto answer = task.get_future();
        boost::asio::post(io_, [&] { task(); });
        return answer.get();
    }
    Result<void> listen(const std::optional<model::Endpoint>& where) {
        return ask([&] { return server_->listen(where); });
    }
    std::optional<model::Endpoint> listening() {
        return ask([&] { return server_->listening(); });
    }
    HttpCounters counters() {
        return ask([&] { return server_->counters(); });
    }
    std::size_t connections() {
        return ask([&] { return server_->connections(); });
    }

private:
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
        io_.get_executor()};
    std::unique_ptr<HttpServer> server_;
    std::thread thread_;
};

class HttpClient {
public:
    explicit HttpClient(const model::Endpoint& to) : socket_(io_) {
        socket_.connect({boost::asio::ip::make_address(to.address.to_string()), to.port}, error_);
    }

    bool connected() const { return !error_; }
    void send(const std::string& bytes) {
        boost::system::error_code ignored;
        boost::asio::write(socket_, boost::asio::buffer(bytes), ignored);
    }
    // All until the server closes.
    std::string rest() {
        std::string text;
        boost::system::error_code code;
        boost::asio::read(socket_, boost::asio::dynamic_buffer(text), code);
        return text;
    }
    std::string some(std::size_t bytes) {
        std::string text(bytes, '\0');
        boost::system::error_code code;
        text.resize(boost::asio::read(socket_, boost::asio::buffer(text), code));
        return text;
    }

private:
    boost::asio::io_context io_;
    boost::asio::ip::tcp::socket socket_;
    boost::system::error_code error_;
};

}  // namespace bascule::node::testing
