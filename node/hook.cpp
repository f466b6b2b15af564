// SPDX-License-Identifier: Apache-2.0
#include "node/hook.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <deque>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "health/outcome.h"
#include "health/program.h"

namespace bascule::node {

namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes quiet{1};

bool is_told(Event::Kind kind) {
    switch (kind) {
        case Event::Kind::backend_up:
        case Event::Kind::backend_down:
        case Event::Kind::backend_held:
        case Event::Kind::service_up:
        case Event::Kind::service_down:
        case Event::Kind::vip_given_up:
        case Event::Kind::vip_taken_back:
        case Event::Kind::vip_taken:
        case Event::Kind::vip_released:
        case Event::Kind::vip_failed:
        case Event::Kind::vip_conflict:
            return true;
        default:
            return false;
    }
}

bool is_of_backend(Event::Kind kind) {
    return kind == Event::Kind::backend_up || kind == Event::Kind::backend_down ||
           kind == Event::Kind::backend_held;
}

bool is_of_service(Event::Kind kind) {
    return kind == Event::Kind::service_up || kind == Event::Kind::service_down;
}

std::vector<std::string> environment_of(const Event& event, const std::string& node_name) {
    std::string service;
    std::string backend;
    if (is_of_service(event.kind)) service = event.subject;
    if (is_of_backend(event.kind)) {
        const auto slash = std::min(event.subject.find('/'), event.subject.size());
        service = event.subject.substr(0, slash);
        backend = event.subject.substr(std::min(slash + 1, event.subject.size()));
    }
    return {std::string("BASCULE_EVENT=") + name_of(event.kind),
            "BASCULE_SUBJECT=" + event.subject,
            "BASCULE_SERVICE=" + service,
            "BASCULE_BACKEND=" + backend,
            "BASCULE_TEXT=" + event.text,
            "BASCULE_SERIAL=" + std::to_string(event.serial),
            "BASCULE_NODE=" + node_name};
}

// Empty: it ended well.
std::string problem_of(const Result<health::ProgramEnd>& end, const model::HookConfig& config) {
    if (!end) return end.error().text();
    const std::string says =
        end->output.empty() ? "" : ", says " + health::quoted(end->output, 200);
    const std::string& program = config.program.command.front();
    if (end->timed_out)
        return fmt::format("{} did not end within {} ms and was killed{}", program,
                           config.timeout.count(), says);
    if (!end->exit_code)
        return fmt::format("{} was ended by signal {}{}", program, end->signal, says);
    if (*end->exit_code != 0)
        return fmt::format("{}: exit code {}{}", program, *end->exit_code, says);
    return {};
}

// Says something at once, and then nothing for a minute but how often.
class RareWarning {
public:
    void say(const std::string& text) {
        const auto now = Clock::now();
        if (last_ && now - *last_ < quiet) {
            ++unsaid_;
            return;
        }
        last_ = now;
        const std::uint64_t unsaid = std::exchange(unsaid_, 0);
        spdlog::warn("hook: {}{}", text,
                     unsaid > 0 ? fmt::format(" ({} like it before, not logged)", unsaid) : "");
    }

private:
    std::optional<Clock::time_point> last_;
    std::uint64_t unsaid_ = 0;
};

}  // namespace

struct Hook::State : std::enable_shared_from_this<Hook::State> {
    explicit State(asio::io_context& context) : io(context) {}

    void start() {
        if (running || queue.empty()) return;
        running = true;
        asio::co_spawn(io, run_all(shared_from_this()),
                       asio::bind_cancellation_slot(
                           stop.slot(), [self = shared_from_this()](const std::exception_ptr&) {
                               // What has come since its last look at the queue needs another one.
                               asio::post(self->io, [self] {
                                   self->running = false;
                                   self->start();
                               });
                           }));
    }

    static asio::awaitable<void> run_all(std::shared_ptr<State> self) {
        // Whoever told us of the event is still at it: tables come first.
        co_await asio::post(self->io, asio::use_awaitable);
        while (!self->queue.empty()) {
            const Event event = std::move(self->queue.front());
            self->queue.pop_front();
            const model::HookConfig config = self->config;
            const auto environment = environment_of(event, self->node_name);
            const auto deadline = Clock::now() + config.timeout;
            const auto end =
                co_await health::run_program(self->io, config.program, environment, deadline);
            self->count(problem_of(end, config));
        }
    }

    void count(const std::string& problem) {
        ++runs;
        if (problem.empty()) return;
        ++failures;
        failed.say(problem);
    }

    asio::io_context& io;
    model::HookConfig config;
    std::string node_name;
    std::deque<Event> queue;
    asio::cancellation_signal stop;
    bool running = false;
    std::uint64_t runs = 0;
    std::uint64_t failures = 0;
    std::uint64_t dropped = 0;
    RareWarning failed;
    RareWarning full;
};

Hook::Hook(asio::io_context& io) : state_(std::make_shared<State>(io)) {}

Hook::~Hook() {
    state_->queue.clear();
    state_->stop.emit(asio::cancellation_type::terminal);
}

void Hook::set_config(const model::HookConfig& config, const std::string& node_name) {
    state_->config = config;
    state_->node_name = node_name;
    if (config.program.command.empty()) state_->queue.clear();
}

void Hook::on(const Event& event) {
    if (!is_told(event.kind) || state_->config.program.command.empty()) return;
    if (state_->queue.size() == most_waiting) {
        state_->queue.pop_front();
        ++state_->dropped;
        state_->full.say("the program is too slow: events were dropped, " +
                         std::to_string(state_->dropped) + " by now");
    }
    state_->queue.push_back(event);
    state_->start();
}

std::size_t Hook::waiting() const {
    return state_->queue.size();
}

std::uint64_t Hook::runs() const {
    return state_->runs;
}

std::uint64_t Hook::failures() const {
    return state_->failures;
}

std::uint64_t Hook::dropped() const {
    return state_->dropped;
}

}  // namespace bascule::node
