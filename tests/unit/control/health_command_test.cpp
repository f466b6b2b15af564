// SPDX-License-Identifier: Apache-2.0
// What the command shows of health: `show health`, and what status and the changes say of it.
#include "command.h"

namespace bascule::control {
namespace {

constexpr std::size_t first_screen = 24;  // lines

TEST_F(Command, HealthSaysWhyBelowEachThatIsNotWell) {
    RunningServer server(options(), canned(false));
    const std::string text = run({"show", "health"}).out;
    EXPECT_TRUE(has(text, std::string("\n    ") + bounced + "\n")) << text;
    EXPECT_TRUE(has(text, "http via vip")) << text;
    EXPECT_TRUE(has(text, "4m 12s"));
    EXPECT_TRUE(has(text, "200 OK, 1.23ms"));
    EXPECT_TRUE(has(text, "up, drained"));
    EXPECT_TRUE(has(text,
                    "\n    connected, no answer within 500ms\n"
                    "    2 of 3 bad results in a row\n"))
        << text;
    EXPECT_TRUE(has(text, "\n    warning: certificate expires in 9 days\n"));
    EXPECT_TRUE(has(text, "1 of 2 good results in a row"));
    EXPECT_TRUE(has(text, "held down until 20")) << text;
    EXPECT_FALSE(has(text, "\x1b")) << "what a server says harms no terminal";
}

TEST_F(Command, HealthOnATerminalOfAHundredColumnsLacksNothing) {
    RunningServer server(options(), canned(false));
    const std::string text = run_on_terminal({"show", "health"}, 100).out;
    EXPECT_FALSE(has(text, "no room for")) << text;
    EXPECT_TRUE(has(text, "https via vip"));
}

TEST_F(Command, HealthOfOneIsASheetWithItsHistory) {
    RunningServer server(options(), canned(false));
    const Ended result = run({"show", "health", "web/web2"});
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(result.out.starts_with("web/web2\nHealth         down for 4m 12s, since "))
        << result.out;
    EXPECT_TRUE(has(result.out, std::string("Why            ") + bounced + "\n"));
    EXPECT_TRUE(has(result.out, "http via vip to 10.9.0.100:80, every 1.0s, timeout 0.5s\n"));
    EXPECT_TRUE(has(result.out, "Next           in 0.6s\n"));
    const auto lines = plain_lines(result.out);
    EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                            [](const auto& line) { return has(line, "  down      the probe"); }),
              10);
    EXPECT_TRUE(std::none_of(lines.begin(), lines.end(), [](const auto& line) {
        return line.ends_with(" ");
    })) << result.out;
}

TEST_F(Command, HealthAsksForWhatIsNamed) {
    ShowHealthRequest asked;
    {
        RunningServer server(options(), [&](Request request) -> boost::asio::awaitable<Response> {
            asked = request.show_health();
            co_return canned_response(request, false);
        });
        run({"show", "health", "web/web2", "--history"});
    }
    EXPECT_EQ(asked.backend(), "web/web2");
    EXPECT_TRUE(asked.history());
}

TEST_F(Command, HealthInJsonHasMomentsWithMilliseconds) {
    RunningServer server(options(), canned(false));
    const Ended result = run({"show", "health", "--json"});
    const json document = json::parse(result.out);
    EXPECT_EQ(document["matched"], 7);
    const json& down = document["targets"][1];
    EXPECT_EQ(down["id"], "web/web2");
    EXPECT_EQ(down["health"], "down");
    EXPECT_EQ(down["reason"], bounced);
    EXPECT_EQ(down["last"]["failure"], "timed_out");
    EXPECT_EQ(down["interval"], 1.0);
    EXPECT_TRUE(has(result.out, "\"time\": 1699999999.6")) << result.out;
    const json& fresh = document["targets"][4];
    EXPECT_EQ(fresh["last"], nullptr);
    EXPECT_EQ(fresh["since"], nullptr);
    EXPECT_EQ(fresh["to"], nullptr);
    EXPECT_EQ(document["targets"][6]["via"], nullptr);
    EXPECT_EQ(run_json({"show", "health", "web/web2"}, 0)["targets"][0]["changes"].size(), 20U);
}

TEST_F(Command, ALongReportSaysHowMuchItLeavesOut) {
    RunningServer server(options(), [](Request request) -> boost::asio::awaitable<Response> {
        Response response = canned_response(request, false);
        response.mutable_health()->set_matched(16'000);
        co_return response;
    });
    EXPECT_TRUE(has(run({"show", "health"}).out, "\n7 of 16000 backends (name a service"));
}

// At three in the morning: what is wrong, and why, without scrolling.
TEST_F(Command, ABadNightIsToldOnTheFirstScreen) {
    RunningServer server(options(), [](Request request) -> boost::asio::awaitable<Response> {
        Response response = canned_response(request, false);
        fill_bad_night(*response.mutable_status());
        co_return response;
    });
    EXPECT_EQ(run({"status"}).code, 4);
    auto lines = plain_lines(run_on_terminal({"status"}, 100).out);
    ASSERT_GT(lines.size(), first_screen);
    lines.resize(first_screen);
    std::string screen;
    for (const auto& line : lines) {
        EXPECT_LE(line.size(), 100U) << line;
        screen += line + "\n";
    }
    EXPECT_TRUE(screen.starts_with("lb1  DEGRADED: 3 problems")) << screen;
    EXPECT_TRUE(has(screen, "  ! service web: no backend takes new flows"));
    EXPECT_TRUE(has(screen, "    -> bascule show health web\n"));
    EXPECT_TRUE(has(screen, "the probe came back: the server has no VIP"));
    EXPECT_TRUE(has(screen, "7 DOWN, 1 not checked yet")) << screen;
    const json backends = run_json({"status"}, 4)["backends"];
    EXPECT_EQ(backends["down"], 7);
    EXPECT_EQ(backends["checking"], 1);
}

TEST_F(Command, EnableSaysThatTheChecksFail) {
    RunningServer server(options(), canned(false));
    EXPECT_TRUE(has(run({"enable", "down"}).out,
                    "\nenabled, but its checks fail: connection refused by 10.9.0.22 (RST)\n"));
    EXPECT_TRUE(has(run({"enable", "new"}).out,
                    "\nenabled, but no new flows yet: its first check has not ended yet\n"));
    EXPECT_FALSE(has(run({"enable", "web2"}).out, "enabled, but"));
}

TEST_F(Command, ServicesAndBackendsShowTheirChecks) {
    RunningServer server(options(), canned(false));
    const std::string services = run({"show", "services"}).out;
    EXPECT_TRUE(has(services, "CHECK")) << services;
    EXPECT_TRUE(has(services,
                    "a-service-with-a-long-name: NO NEW FLOWS: 1 of 2 backends that it needs can "
                    "serve\n"))
        << services;
    const json below = run_json({"show", "services"}, 0)["services"][2];
    EXPECT_EQ(below["quorum"], 2);
    EXPECT_EQ(below["able"], 1);
    EXPECT_EQ(below["below_quorum"], true);
    EXPECT_EQ(below["check"], "http");
    const std::string backends = run({"show", "backends"}).out;
    EXPECT_TRUE(has(backends, std::string("\nhealth/web4: ") + bounced + "\n")) << backends;
    EXPECT_TRUE(has(backends, "\nhealth/web5: its first check has not ended yet\n"));
    const json list = run_json({"show", "backends"}, 0)["backends"];
    EXPECT_EQ(list[7]["state"], "down");
    EXPECT_EQ(list[7]["health"], "down");
    EXPECT_EQ(list[8]["state"], "checking");
    EXPECT_EQ(list[0]["health"], nullptr);
}

}  // namespace
}  // namespace bascule::control
