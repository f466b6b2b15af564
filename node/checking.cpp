// SPDX-License-Identifier: Apache-2.0
// What the daemon does for its checks: opens the way for probes by the VIP, begins, and waits for
// the first verdicts.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "node/daemon.h"
#include "node/probe_path.h"

namespace bascule::node {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// What a start waits for the first verdicts before it takes VIPs, so that no client meets a service
// that could serve and does not yet. A backend that is silent longer joins when it is judged.
constexpr auto verdict_patience = 1s;
constexpr auto verdict_poll = 10ms;
// Backends that fail together, because a switch has died, leave their rings by one plan.
constexpr auto gather_time = 1ms;
// Between two attempts at a way for the probes.
constexpr auto retry_time = 5s;

Result<void> open_way(dataplane::Dataplane& dataplane, const model::NodeConfig& node) {
    auto path = open_probe_path(node);
    if (!path) return failure(std::move(path.error()));
    return dataplane.set_probe_path(*path);
}

}  // namespace

bool probes_by_vip(const model::Config& config) {
    return std::any_of(config.services.begin(), config.services.end(), [](const auto& service) {
        return service.health.type != model::ProbeType::none &&
               service.health.via == model::Via::vip;
    });
}

void Daemon::begin_checks(const model::Config& config) {
    checks_ = std::make_unique<Checks>(io_, *dataplane_, *state_, events_,
                                       [this] { settle_soon_.within(gather_time); });
    open_path(config);
    checks_->follow();
}

asio::awaitable<void> Daemon::await_verdicts() {
    const auto deadline = std::chrono::steady_clock::now() + verdict_patience;
    asio::steady_timer timer(io_);
    while (!checks_->all_judged() && std::chrono::steady_clock::now() < deadline) {
        timer.expires_after(verdict_poll);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
}

// Not fatal: the probes that need it fail, and say why.
void Daemon::open_path(const model::Config& config) {
    std::string problem;
    if (probes_by_vip(config))
        if (auto open = open_way(*dataplane_, config.node); !open) problem = open.error().text();
    if (!problem.empty()) {
        if (problem != checks_->path_problem())
            spdlog::error("no checks by the VIP: {}; trying again", problem);
        upkeep_soon_.within(retry_time);
    } else if (!checks_->path_problem().empty()) {
        spdlog::info("checks by the VIP can be sent again");
    }
    checks_->set_path_problem(std::move(problem));
}

}  // namespace bascule::node
