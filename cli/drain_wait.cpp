// SPDX-License-Identifier: Apache-2.0
#include "cli/drain_wait.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

#include "cli/console.h"
#include "cli/drain_progress.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/names.h"
#include "cli/table.h"

namespace bascule::cli {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto poll_interval = 1s;
constexpr auto pipe_interval = 5s;  // between two lines where there is no terminal
// A daemon that is restarted comes back within this.
constexpr auto absence = 30s;

// One line that is rewritten on a terminal; elsewhere a line when it changes, not too often. With
// --json nothing.
class Progress {
public:
    explicit Progress(const Options& options)
        : silent_(options.json), terminal_(::isatty(STDOUT_FILENO) != 0), options_(options) {}

    void show(const std::string& line) {
        const auto now = Clock::now();
        if (silent_ || line == last_) return;
        if (terminal_) {
            const std::size_t width = screen_of(STDOUT_FILENO, options_).width;
            print("\r\x1b[K" + line.substr(0, width - 1));
        } else {
            if (!last_.empty() && now < next_) return;
            print(line + "\n");
        }
        std::fflush(stdout);
        last_ = line;
        next_ = now + pipe_interval;
    }
    // The last word, on a line of its own.
    void end() {
        if (silent_ || !terminal_ || last_.empty()) return;
        print("\r\x1b[K");
    }

private:
    bool silent_;
    bool terminal_;
    const Options& options_;
    std::string last_;
    Clock::time_point next_;
};

class Wait {
public:
    Wait(const Options& options, const DrainWait& task, const control::Response& drained)
        : options_(options),
          task_(task),
          answer_(drained),
          line_(options),
          start_(Clock::now()),
          heard_(start_) {}

    int run();

private:
    // Nullopt: to be asked again.
    std::optional<int> look();
    std::optional<int> judge(const control::Backends& backends);
    int end(const char* outcome, int code, const std::string& sentence);
    int end_by_signal(int signal);
    std::string left() const;
    std::uint64_t waited() const {
        const auto time = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start_);
        return static_cast<std::uint64_t>(time.count());
    }
    bool over() const { return task_.longest && Clock::now() - start_ >= *task_.longest; }
    const control::Backend& backend() const { return answer_.backend_changed().backend(); }
    std::string name() const { return harmless(full_name(backend())); }

    const Options& options_;
    const DrainWait& task_;
    control::Response answer_;  // of the drain, with the backend as it is now
    DrainProgress progress_;
    InterruptCatch interrupt_;
    Progress line_;
    Clock::time_point start_;
    Clock::time_point heard_;  // the daemon's last answer
};

int Wait::run() {
    for (;;) {
        if (auto code = look()) return *code;
        if (const int signal = interrupt_.caught(); signal != 0) return end_by_signal(signal);
        if (over()) {
            return end("timeout", kFailed,
                       fmt::format("{}: {} after {}; it stays drained", name(), left(),
                                   short_duration(waited())));
        }
        std::this_thread::sleep_for(poll_interval);
    }
}

std::optional<int> Wait::look() {
    control::Request request;
    request.mutable_show_backends()->set_service(backend().service());
    auto client = connect(options_);
    tl::expected<control::Response, control::NoAnswer> response =
        client ? client->ask(request) : tl::unexpected(client.error());
    if (!response) {
        if (interrupt_.caught() != 0 || Clock::now() - heard_ < absence) return std::nullopt;
        line_.end();
        return no_answer(options_, response.error());
    }
    heard_ = Clock::now();
    if (response->has_failure()) {
        // Of a daemon that is starting; or the whole service has gone.
        if (response->failure().code() == control::Failure::FAILURE_BUSY) return std::nullopt;
        line_.end();
        return show(options_, *response);
    }
    return judge(response->backends());
}

std::optional<int> Wait::judge(const control::Backends& backends) {
    const auto& list = backends.backends();
    const auto found = std::find_if(list.begin(), list.end(), [&](const auto& each) {
        return full_name(each) == full_name(backend());
    });
    if (found == list.end()) {
        return end("removed", kFailed, name() + " is not in the configuration any more");
    }
    *answer_.mutable_backend_changed()->mutable_backend() = *found;
    if (!found->word().drained()) {
        return end("taken_back", kFailed,
                   fmt::format("{}: the drain was taken back, it is {} now", name(),
                               name_of(found->state())));
    }
    const std::chrono::duration<double> now = Clock::now() - start_;
    progress_.take(now.count(), found->sessions());
    if (found->has_drained_sessions() && found->drained_sessions() == 0) {
        return end("empty", kWell,
                   fmt::format("{}: drained, empty after {}", name(), short_duration(waited())));
    }
    const bool counted_since = found->has_drained_sessions();
    std::string text = fmt::format(
        "{}: drained, {}", name(),
        counted_since || found->sessions() > 0 ? left() : "its sessions are being counted");
    if (const auto rest = progress_.estimate()) {
        text += fmt::format(", about {} to go", short_duration(static_cast<std::uint64_t>(*rest)));
    }
    line_.show(text);
    return std::nullopt;
}

std::string Wait::left() const {
    return counted(progress_.sessions(), "session left", "sessions left");
}

int Wait::end(const char* outcome, int code, const std::string& sentence) {
    line_.end();
    if (options_.json) {
        Json document = to_json(options_.command, answer_);
        document["ok"] = code == kWell;
        document["outcome"] = outcome;
        document["waited_seconds"] = waited();
        print(to_text(document));
    } else if (code == kWell) {
        print(sentence + "\n");
    } else {
        complain("bascule: " + sentence + "\n");
    }
    return code;
}

int Wait::end_by_signal(int signal) {
    const int code =
        end("interrupted", kFailed,
            fmt::format("no longer waiting: {} stays drained, {} (bascule enable {} takes it back)",
                        name(), left(), name()));
    std::fflush(stdout);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return code;  // where the signal is ignored
}

}  // namespace

int drain_and_wait(const Options& options, const DrainWait& task) {
    auto client = connect(options);
    if (!client) return no_answer(options, client.error());
    control::Request request;
    request.mutable_drain()->set_backend(task.backend);
    const auto drained = client->ask(request);
    if (!drained) return no_answer(options, drained.error());
    if (!drained->has_backend_changed()) return show(options, *drained);
    if (!options.json) print(render(*drained, screen_of(STDOUT_FILENO, options)));
    return Wait(options, task, *drained).run();
}

}  // namespace bascule::cli
