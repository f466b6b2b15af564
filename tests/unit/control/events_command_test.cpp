// SPDX-License-Identifier: Apache-2.0
// `bascule events` against canned answers, and against a daemon that goes and comes back.
#include <atomic>
#include <csignal>
#include <memory>
#include <mutex>

#include "command.h"

namespace bascule::control {
namespace {

// A daemon's log of events: answers what is newer at once, or nothing.
class Log {
public:
    explicit Log(std::int64_t began) : began_(began) {}

    void add(const std::string& kind) {
        const std::lock_guard lock(mutex_);
        events_.push_back(canned_event(events_.size() + 1, kind, "web/web1", "because"));
    }
    Answer answer() {
        return [this](Request request) -> boost::asio::awaitable<Response> {
            const std::lock_guard lock(mutex_);
            ++asked_;
            Response response;
            auto& events = *response.mutable_events();
            for (const auto& event : events_)
                if (event.serial() > request.events().after()) *events.add_events() = event;
            events.set_last_serial(events_.size());
            events.set_began_unix_milliseconds(began_);
            co_return response;
        };
    }
    int asked() const { return asked_; }

private:
    std::mutex mutex_;
    std::vector<Event> events_;
    std::int64_t began_;
    std::atomic<int> asked_ = 0;
};

class Follow : public Command {
protected:
    pid_t follow(Words words) const {
        // A short patience is a short wait, so that the canned daemon is asked again soon.
        words.insert(words.begin(), {"events", "-f", "--timeout", "1"});
        words.insert(words.end(), {"--runtime-dir", directory_.path()});
        return start(words, program_);
    }
    bool comes(const char* file, const std::string& text) const {
        for (int i = 0; i < 1000; ++i) {
            if (has(file_text(directory_.file(file)), text)) return true;
            ::usleep(10'000);
        }
        return false;
    }
};

TEST_F(Command, EventsAreALineEach) {
    RunningServer server(options(), canned(false));
    const Ended result = run({"events"});
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(plain_lines(result.out).size(), 5U) << result.out;
    EXPECT_TRUE(has(result.out, std::string(" backend_down   web/web2: ") + bounced + "\n"))
        << result.out;
    EXPECT_TRUE(has(result.out, " reload         2 changes?[2J\n")) << result.out;
}

TEST_F(Command, EventsInJsonAreADocument) {
    RunningServer server(options(), canned(false));
    const json document = run_json({"events"}, 0);
    EXPECT_EQ(document["command"], "events");
    EXPECT_EQ(document["last_serial"], 4);
    EXPECT_EQ(document["missed"], 0);
    ASSERT_EQ(document["events"].size(), 4U);
    const json& down = document["events"][1];
    EXPECT_EQ(down["serial"], 2);
    EXPECT_EQ(down["kind"], "backend_down");
    EXPECT_EQ(down["subject"], "web/web2");
    EXPECT_EQ(down["text"], bounced);
    EXPECT_EQ(down["time"], 1'700'000'002.0);
}

TEST_F(Command, EventsAskForWhatIsWanted) {
    EventsRequest asked;
    {
        RunningServer server(options(), [&](Request request) -> boost::asio::awaitable<Response> {
            asked = request.events();
            Response response;
            response.mutable_events()->set_missed(7);
            response.mutable_events()->set_began_unix_milliseconds(1);
            co_return response;
        });
        const Ended result = run({"events", "--since", "40", "--subject", "web"});
        EXPECT_EQ(result.out, "no events\n");
        EXPECT_EQ(result.err, "bascule: 7 earlier events are no longer kept\n");
        EXPECT_EQ(asked.after(), 40U);
        EXPECT_EQ(asked.subject(), "web");
        EXPECT_EQ(asked.limit(), 1000U);
        EXPECT_EQ(asked.wait_seconds(), 0U);
        EXPECT_EQ(run({"events"}).err, "") << "the usual end of a long life";
        EXPECT_EQ(asked.limit(), 100U);
    }
    EXPECT_EQ(run({"events"}).code, 3);
    EXPECT_EQ(run({"events", "-f"}).code, 3);
    EXPECT_EQ(run({"events", "--limit", "0"}).code, 2);
    EXPECT_EQ(run({"events", "--since", "yesterday"}).code, 2);
}

TEST_F(Command, EventsOfADaemonThatKnowsNone) {
    RunningServer server(options(), [](Request) -> boost::asio::awaitable<Response> {
        co_return failure_response(Failure::FAILURE_UNSUPPORTED, "it is older than the command");
    });
    EXPECT_EQ(run({"events"}).code, 1);
    EXPECT_EQ(run({"events", "-f"}).code, 1);
    EXPECT_EQ(json::parse(run({"events", "--json"}).out)["error"]["code"], "unsupported");
}

TEST_F(Follow, EachEventComesOnceUntilItIsInterrupted) {
    Log log(1);
    log.add("started");
    RunningServer server(options(), log.answer());
    const pid_t child = follow({});
    EXPECT_TRUE(comes("out", "started"));
    log.add("backend_down");
    log.add("backend_up");
    EXPECT_TRUE(comes("out", "backend_up"));
    const int asked = log.asked();
    for (int i = 0; i < 1000 && log.asked() < asked + 2; ++i)
        ::usleep(10'000);
    ::kill(child, SIGINT);
    const Ended result = ended(child);
    EXPECT_EQ(result.code, -SIGINT);
    EXPECT_EQ(plain_lines(result.out).size(), 4U) << result.out;
    EXPECT_EQ(result.err, "");
}

TEST_F(Follow, ADaemonThatIsAwayIsWaitedFor) {
    Log log(1);
    log.add("started");
    auto server = std::make_unique<RunningServer>(options(), log.answer());
    const pid_t child = follow({"--json"});
    EXPECT_TRUE(comes("out", "started"));
    server.reset();
    EXPECT_TRUE(comes("err", "; waiting for it to come back\n"));
    log.add("backend_down");
    server = std::make_unique<RunningServer>(options(), log.answer());
    EXPECT_TRUE(comes("out", "backend_down"));
    ::kill(child, SIGTERM);
    const Ended result = ended(child);
    EXPECT_TRUE(has(result.err, "bascule: the daemon answers again\n")) << result.err;
    const auto lines = plain_lines(result.out);
    ASSERT_EQ(lines.size(), 3U) << result.out;
    EXPECT_EQ(json::parse(lines[1])["serial"], 2);
}

// Its serials begin anew: one that is lower than the last is not an old one.
TEST_F(Follow, AnotherDaemonsEventsAreAllTold) {
    Log first(1);
    for (int i = 0; i < 5; ++i)
        first.add("operator_word");
    auto server = std::make_unique<RunningServer>(options(), first.answer());
    const pid_t child = follow({});
    EXPECT_TRUE(comes("out", "operator_word"));
    server.reset();
    Log second(2);
    for (const char* kind : {"started", "a", "b", "c", "d", "e", "service_up"})
        second.add(kind);
    server = std::make_unique<RunningServer>(options(), second.answer());
    EXPECT_TRUE(comes("out", "service_up"));
    ::kill(child, SIGINT);
    const Ended result = ended(child);
    EXPECT_TRUE(has(result.err, "bascule: the daemon was started anew")) << result.err;
    EXPECT_FALSE(has(result.err, "answers again"));
    EXPECT_EQ(plain_lines(result.out).size(), 5U + 7U + 1U) << result.out;
}

}  // namespace
}  // namespace bascule::control
