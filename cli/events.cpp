// SPDX-License-Identifier: Apache-2.0
#include "cli/events.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "cli/console.h"
#include "cli/json_health.h"
#include "cli/render_events.h"

namespace bascule::cli {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t most_events = 1000;
constexpr std::uint32_t longest_wait = 20;  // seconds, of one request
constexpr auto retry_interval = 500ms;

using Answer = tl::expected<control::Response, control::NoAnswer>;

class Watch {
public:
    Watch(const Options& options, const EventWatch& task)
        : options_(options), task_(task), ask_(task.start) {
        // A request has to end before the command loses patience with the daemon.
        wait_seconds_ =
            std::min(longest_wait, static_cast<std::uint32_t>(options.timeout_seconds / 2));
    }

    int run();

private:
    Answer ask();
    // Nullopt: go on.
    std::optional<int> take(const Answer& answer);
    std::optional<int> take(const control::Events& events);
    void lost(const std::string& why);
    bool show_all(const control::Events& events) const;
    void say(const std::string& sentence) const {
        std::fflush(stdout);
        complain("bascule: " + sentence + "\n");
    }

    const Options& options_;
    const EventWatch& task_;
    control::EventsRequest ask_;  // the next one
    std::uint32_t wait_seconds_ = 0;
    std::optional<control::Client> client_;
    std::int64_t began_ = 0;  // of the daemon that was heard last; 0: none yet
    bool absent_ = false;     // it was heard, and is not now
    bool anew_ = false;       // it is another one, whose first events are to be asked for
};

// The first one after a silence does not wait: whose events they are is to be seen first.
Answer Watch::ask() {
    if (!client_) {
        auto client = connect(options_);
        if (!client) return tl::unexpected(client.error());
        client_ = *std::move(client);
    }
    control::Request request;
    *request.mutable_events() = ask_;
    const bool waits = began_ != 0 && !absent_ && !anew_;
    request.mutable_events()->set_wait_seconds(waits ? wait_seconds_ : 0);
    auto answer = client_->ask(request);
    if (!answer) client_.reset();
    return answer;
}

// Followed in JSON, they are a line each; else the answer is one document, as of every command.
bool Watch::show_all(const control::Events& events) const {
    const Screen screen = screen_of(STDOUT_FILENO, options_);
    if (options_.json && !task_.follow) {
        Json document = json_head(options_.command, true);
        document.update(json_events(events));
        print(to_text(document));
    } else if (!task_.follow && events.events().empty()) {
        print("no events\n");
    }
    for (const auto& event : events.events()) {
        if (!options_.json) {
            print(render_event(event, screen));
        } else if (task_.follow) {
            print(json_event(event).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
        }
    }
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

// One that was heard before is waited for, however long it takes.
void Watch::lost(const std::string& why) {
    if (!std::exchange(absent_, true)) say(why + "; waiting for it to come back");
    client_.reset();
    std::this_thread::sleep_for(retry_interval);
}

std::optional<int> Watch::take(const Answer& answer) {
    const bool heard = began_ != 0;
    if (!answer) {
        if (!heard) return no_answer(options_, answer.error());
        lost(answer.error().text);
        return std::nullopt;
    }
    if (answer->has_failure()) {
        // Of one that is starting or stopping, or has too many clients.
        if (!heard || answer->failure().code() != control::Failure::FAILURE_BUSY)
            return cli::show(options_, *answer);
        lost(answer->failure().message());
        return std::nullopt;
    }
    if (!answer->has_events())
        return fail(options_, kFailed, "failed", "the daemon does not know how to tell events");
    return take(answer->events());
}

std::optional<int> Watch::take(const control::Events& events) {
    const bool first = began_ == 0;
    const bool another = !first && began_ != events.began_unix_milliseconds();
    began_ = events.began_unix_milliseconds();
    const bool back = std::exchange(absent_, false);
    anew_ = another;
    if (another) {
        say("the daemon was started anew, and so are the numbers of its events");
        ask_.set_after(0);
        return std::nullopt;
    }
    if (back) say("the daemon answers again");
    if (events.missed() > 0 && (!first || ask_.after() > 0))
        say(fmt::format("{} earlier events are no longer kept", events.missed()));
    if (!show_all(events))
        return fail(options_, kFailed, "failed",
                    fmt::format("standard output: {}", std::strerror(errno)));
    ask_.set_after(events.last_serial());
    ask_.set_limit(most_events);
    return task_.follow ? std::nullopt : std::optional<int>(kWell);
}

int Watch::run() {
    for (;;) {
        if (auto code = take(ask())) return *code;
        // A daemon that may not be waited for is not to be asked without a pause.
        if (wait_seconds_ == 0 && !absent_) std::this_thread::sleep_for(retry_interval);
    }
}

}  // namespace

int watch_events(const Options& options, const EventWatch& task) {
    return Watch(options, task).run();
}

}  // namespace bascule::cli
