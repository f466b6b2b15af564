// SPDX-License-Identifier: Apache-2.0
#include "node/http_desk.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "node/daemon.h"
#include "node/metric_facts.h"
#include "node/metrics.h"
#include "node/version.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// Between two attempts at what the kernel refuses.
constexpr auto retry_time = 5s;
// Who asks again sooner gets the same: nothing that is asked for costs more than once in this time.
constexpr auto fresh_time = 1s;

constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";

using Facts = std::shared_ptr<const MetricFacts>;

asio::awaitable<std::shared_ptr<const std::string>> write_text(Facts facts) {
    co_return std::make_shared<const std::string>(metrics_text(*facts));
}

std::string front_page(const Daemon& daemon) {
    return fmt::format(
        "basculed {}, node {}\n"
        "/metrics   what is counted and measured here, for Prometheus\n"
        "All else is told by the command: bascule status, bascule show services",
        version, daemon.state().config().node.name);
}

}  // namespace

HttpDesk::HttpDesk(asio::io_context& io, const Daemon& daemon)
    : daemon_(daemon),
      server_(
          io, [this](std::string path) { return answer(std::move(path)); },
          [this](const Address& own) { return is_vip(own); }),
      again_(io,
             [this] {
                 if (daemon_.running()) keep(daemon_.state().config());
             }),
      made_now_(io) {}

Result<void> HttpDesk::follow(const model::Config& config) {
    const auto before = server_.listening();
    std::optional<model::Endpoint> where;
    if (config.http) where = config.http->listen;
    auto listening = server_.listen(where);
    if (!listening) return listening;
    problem_.clear();
    again_.cancel();
    if (where && where != before) spdlog::info("http: listening at {}", where->to_string());
    if (!where && before) spdlog::info("http: no longer listening");
    return {};
}

void HttpDesk::keep(const model::Config& config) {
    auto listening = follow(config);
    if (listening) return;
    if (listening.error().text() != problem_)
        spdlog::error("http: {}; trying again", listening.error().text());
    problem_ = listening.error().text();
    again_.within(retry_time);
}

// By an address of all, a VIP would be reached as well.
bool HttpDesk::is_vip(const Address& address) const {
    const auto& vips = daemon_.state().config().vips;
    return std::any_of(vips.begin(), vips.end(),
                       [&](const auto& vip) { return vip.address == address; });
}

asio::awaitable<HttpAnswer> HttpDesk::answer(std::string path) {
    if (!daemon_.running()) co_return http_words(503, "basculed is starting or stopping");
    if (path == "/metrics") co_return co_await metrics();
    if (path == "/") co_return http_words(200, front_page(daemon_));
    co_return http_words(404, "there is no such page: / names what there is");
}

asio::awaitable<HttpAnswer> HttpDesk::metrics() {
    const bool stale = text_ == nullptr || std::chrono::steady_clock::now() - made_ > fresh_time;
    if (making_)
        co_await made_now_.async_wait(asio::as_tuple(asio::use_awaitable));
    else if (stale)
        co_await make_text();
    if (text_ == nullptr) co_return http_words(503, "the metrics could not be made: ask again");
    HttpAnswer answer;
    answer.type = metrics_type;
    answer.body = text_;
    co_return answer;
}

asio::awaitable<void> HttpDesk::make_text() {
    making_ = true;
    made_now_.expires_at(asio::steady_timer::time_point::max());
    try {
        auto facts = std::make_shared<MetricFacts>(gather_metric_facts(daemon_));
        facts->http = server_.counters();
        facts->http_connections = server_.connections();
        facts->process = read_process_facts();
        text_ = co_await asio::co_spawn(writer_, write_text(std::move(facts)), asio::use_awaitable);
        made_ = std::chrono::steady_clock::now();
    } catch (const std::exception& error) {
        spdlog::error("http: metrics failed: {}", error.what());
        text_ = nullptr;  // rather none than old ones
    }
    making_ = false;
    made_now_.cancel();
}

}  // namespace bascule::node
