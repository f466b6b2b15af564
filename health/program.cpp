// SPDX-License-Identifier: Apache-2.0
#include "health/program.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <utility>

#include "health/await.h"
#include "health/program_check.h"
#include "health/program_slots.h"
#include "health/program_start.h"
#include "health/user_lookups.h"

namespace bascule::health {

namespace {

namespace asio = boost::asio;
using Stream = asio::posix::stream_descriptor;
using Time = std::chrono::steady_clock::time_point;

constexpr const char* path_variable =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t most_output = ProgramEnd::most_output;
// A program that writes without end costs this much reading each pause, and stands still meanwhile.
constexpr int reads_per_turn = 16;
constexpr std::chrono::milliseconds pause_when_full{10};

// Lends a descriptor to Asio.
class Watched {
public:
    Watched(asio::io_context& io, const Descriptor& descriptor) : stream_(io, descriptor.get()) {}
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched() { stream_.release(); }
    Stream& stream() { return stream_; }

private:
    Stream stream_;
};

// What a program writes: its beginning is kept.
class Output {
public:
    void read_from(const Descriptor& pipe) {
        std::array<char, most_output> chunk;
        for (int i = 0; i < reads_per_turn && !over_; ++i) {
            const ssize_t got = ::read(pipe.get(), chunk.data(), chunk.size());
            if (got < 0) return;  // nothing more by now
            over_ = got == 0;
            const auto size = static_cast<std::size_t>(got);
            text_.append(chunk.data(), std::min(size, most_output - text_.size()));
        }
    }
    bool is_over() const { return over_; }
    bool is_full() const { return text_.size() == most_output; }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
    bool over_ = false;
};

// Whatever way it is left, no process of the group stays behind.
class Run {
public:
    Run(asio::io_context& io, ProgramSlots& slots, Process process, ProgramSlots::Slot slot)
        : io_(io), slots_(slots), process_(std::move(process)), slot_(std::move(slot)) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() {
        if (!reaped_) slots_.bury(std::move(process_), std::move(slot_));
    }

    asio::awaitable<Result<ProgramEnd>> until(Time deadline) {
        const bool ended = co_await follow(deadline);
        if (!ended) co_return ProgramEnd{true, std::nullopt, 0, output_.take()};
        // Its number is its own until it is waited for.
        process_.kill_group();
        output_.read_from(process_.output);
        const auto end = process_.reap();
        reaped_ = end.has_value();
        if (const auto failed = process_.start_failure()) co_return failure(*failed);
        if (!end) co_return failure("it has ended, and nobody knows how");
        co_return ProgramEnd{false, end->exit_code, end->signal, output_.take()};
    }

private:
    // Reads until the program has ended (true), or to the deadline.
    asio::awaitable<bool> follow(Time deadline) {
        Watched ended(io_, process_.pidfd);
        Watched output(io_, process_.output);
        asio::steady_timer timer(io_);
        for (;;) {
            output_.read_from(process_.output);
            if (process_.has_ended()) co_return true;
            const Time now = std::chrono::steady_clock::now();
            if (now >= deadline) co_return false;
            if (output_.is_over()) {
                co_await readable_before(ended.stream(), timer, deadline);
            } else if (output_.is_full()) {
                co_await readable_before(ended.stream(), timer,
                                         std::min(deadline, now + pause_when_full));
            } else {
                timer.expires_at(deadline);
                co_await asio::experimental::make_parallel_group(
                    ended.stream().async_wait(Stream::wait_read, asio::deferred),
                    output.stream().async_wait(Stream::wait_read, asio::deferred),
                    timer.async_wait(asio::deferred))
                    .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
            }
        }
    }

    asio::io_context& io_;
    ProgramSlots& slots_;
    Process process_;
    ProgramSlots::Slot slot_;
    Output output_;
    bool reaped_ = false;
};

}  // namespace

asio::awaitable<Result<ProgramEnd>> run_program(asio::io_context& io,
                                                const model::ProgramConfig& program,
                                                const std::vector<std::string>& environment,
                                                Time deadline) {
    auto& slots = asio::use_service<ProgramSlots>(io);
    auto slot = co_await slots.take(deadline);
    if (!slot)
        co_return failure("not started: " + std::to_string(ProgramSlots::most) +
                          " programs ran already, and none of them ended in time");
    auto& users = asio::use_service<UserLookups>(io);
    const auto user = co_await users.find(program.user, deadline);
    if (!user) co_return failure(user.error());
    // Each time: what was safe yesterday may have been changed since.
    if (auto safe = check_program_for(program, *user); !safe)
        co_return failure(std::move(safe).error());
    auto variables = environment;
    variables.emplace_back(path_variable);
    auto process = start_process(program.command, variables, *user);
    if (!process) co_return failure(std::move(process).error().within(program.command.front()));
    Run run(io, slots, std::move(*process), std::move(slot));
    auto end = co_await run.until(deadline);
    if (!end) co_return failure(std::move(end).error().within(program.command.front()));
    co_return end;
}

}  // namespace bascule::health
