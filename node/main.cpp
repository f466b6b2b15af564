// SPDX-License-Identifier: Apache-2.0
// basculed: options, signals, and the order in which the daemon comes up and goes down.
//
// Exit codes: 0 well, 1 refused or failed, 2 usage.
#include <fmt/format.h>
#include <google/protobuf/text_format.h>
#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <filesystem>
#include <optional>

#include "base/command_line.h"
#include "base/log.h"
#include "control/server.h"
#include "control/socket_file.h"
#include "health/program_helper.h"
#include "model/config_notices.h"
#include "node/answers.h"
#include "node/cluster_keys.h"
#include "node/daemon.h"
#include "node/doctor.h"
#include "node/files.h"
#include "node/service_rights.h"
#include "node/version.h"
#include "node/vip_notices.h"
#include "node/vip_takers.h"
#include "node/watchdog.h"
#include "sync/realtime.h"

namespace asio = boost::asio;
using namespace bascule;
using namespace bascule::node;

namespace {

int report_errors(const LoadedConfig& loaded) {
    for (const auto& error : loaded.parsed.errors)
        fmt::print(stderr, "{}\n", error.to_string());
    return 1;
}

std::string control_socket(const Options& options) {
    return options.runtime_dir + "/control.sock";
}

int fail_plainly(const Error& error) {
    fmt::print(stderr, "basculed: {}\n", error.text());
    return 1;
}

// load_config() has looked after all of it: it is told so that two nodes' words can be compared.
int check_cluster(const model::Config& config) {
    const auto keys = read_keys(config);
    if (!keys) return fail_plainly(keys.error());  // it went meanwhile
    fmt::print("{}\n", in_words(config, **keys));
    return 0;
}

void print_notices(const model::Config& config) {
    for (const auto& line : model::notices(config))
        fmt::print("{}\n", line);
    for (const auto& line : vip_notices(config))
        fmt::print("{}\n", line);
}

int check(const std::string& file) {
    // A draft may lie where the service never looks.
    if (file == Options().config)
        if (auto given_up = read_as_the_service(); !given_up) return fail_plainly(given_up.error());
    const LoadedConfig loaded = load_config(file);
    if (!loaded.parsed.config) return report_errors(loaded);
    std::size_t backends = 0;
    for (const auto& service : loaded.parsed.config->services)
        backends += service.backends.size();
    const auto counted = [](std::size_t count, const char* what) {
        return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
    };
    fmt::print("{}: configuration is valid: {}, {}, {}\n", file,
               counted(loaded.parsed.config->vips.size(), "VIP"),
               counted(loaded.parsed.config->services.size(), "service"),
               counted(backends, "backend"));
    print_notices(*loaded.parsed.config);
    if (loaded.parsed.config->cluster) return check_cluster(*loaded.parsed.config);
    return 0;
}

// Holds the daemon's own place meanwhile: a live one would lose all beneath its feet.
int detach(const Options& options) {
    std::optional<control::SocketFile> place;
    if (std::filesystem::is_directory(options.runtime_dir)) {
        auto free = control::SocketFile::listen(control_socket(options), 0600, 1);
        if (!free) return fail_plainly(free.error());
        place = std::move(*free);
    }
    auto detached = Daemon::detach_dead(options.bpffs);
    if (!detached) return fail_plainly(detached.error());
    for (const auto& vip : detached->vips)
        fmt::print("VIP {} released\n", vip);
    fmt::print("{}: programs and tables taken away\n", options.bpffs);
    return 0;
}

// For who cleans up after a daemon that died, which must not wait for it: what is not done within
// its time is left to the leases. A daemon that runs needs no such help. None of that is a failure.
int release_vips(const Options& options) {
    constexpr unsigned most_seconds = 3;
    // What is known of peers was written by the thread whose silence the watchdog ended: too old.
    const char* result = std::getenv("SERVICE_RESULT");  // systemd.exec(5)
    if (result != nullptr && std::string_view(result) == "watchdog") return 0;
    if (!std::filesystem::is_directory(options.runtime_dir)) return 0;
    std::signal(SIGALRM, [](int) { ::_exit(0); });
    ::alarm(most_seconds);
    const auto free = control::SocketFile::listen(control_socket(options), 0600, 1);
    if (!free) {
        fmt::print("nothing is released: {}\n", free.error().text());
        return 0;
    }
    const LeftVips left = release_left_vips(options.runtime_dir);
    for (const auto& vip : left.released)
        fmt::print("VIP {} released: another node takes it\n", vip);
    for (const auto& problem : left.problems)
        fmt::print(stderr, "basculed: {}\n", problem);
    return 0;
}

// What the daemon has no rights for, on the socket that systemd listens at for it.
int run_helper() {
    constexpr int handed_over = SD_LISTEN_FDS_START;
    if (sd_listen_fds(1) != 1)
        return fail_plainly(Error("--run-helper: wants the one socket that systemd hands over"));
    if (auto served = health::serve_helper(handed_over); !served)
        return fail_plainly(served.error());
    return 0;
}

// As protobuf's text: `bascule doctor` shows it, and people can read it, too.
int examine_from_outside(const Options& options) {
    std::string text;
    google::protobuf::TextFormat::PrintToString(examine(options), &text);
    fmt::print("{}", text);
    return 0;
}

class Program {
public:
    explicit Program(Options options)
        : options_(options), daemon_(io_, options), answers_(daemon_, [this] { stop(); }) {}

    int run(LoadedConfig loaded) {
        // The socket first: it is also what keeps a second daemon from touching anything.
        if (auto made = make_directory(options_.runtime_dir); !made)
            return fail(options_.runtime_dir, made.error());
        control::ServerOptions socket;
        socket.path = control_socket(options_);
        auto server = control::Server::open(
            io_, socket, [this](control::Request request) { return answers_.answer(request); });
        if (!server) return fail("control socket", server.error());
        server_ = std::move(*server);
        watch_signals();
        asio::co_spawn(io_, daemon_.start(std::move(loaded)),
                       [this](std::exception_ptr bug, Result<void> started) {
                           if (bug) std::rethrow_exception(bug);
                           on_started(started);
                       });
        io_.run();
        return exit_code_;
    }

private:
    static int fail(const std::string& what, const Error& error) {
        spdlog::error("{}: {}", what, error.text());
        return 1;
    }

    void on_started(const Result<void>& started) {
        if (!started) {
            spdlog::error("{}", started.error().text());
            exit_code_ = 1;
            stop();
            return;
        }
        spdlog::info("basculed {} is running as node {}", version,
                     daemon_.state().config().node.name);
        sd_notify(0, "READY=1");
        watchdog_.start();
        if (reload_wanted_) daemon_.request_reload();
    }

    // One that comes during the start may be about an edit that the start has not read.
    void hang_up() {
        if (daemon_.running())
            daemon_.request_reload();
        else
            reload_wanted_ = true;
    }

    void watch_signals() {
        signals_.async_wait([this](const boost::system::error_code& error, int signal) {
            if (error) return;
            if (signal == SIGHUP) {
                hang_up();
            } else {
                spdlog::info("stopping: tables and programs stay as they are{}",
                             daemon_.cluster() == nullptr ? ", VIPs too" : "");
                stop();
                return;
            }
            watch_signals();
        });
    }

    // Everything in the kernel goes on; `bascule detach` is what ends that.
    void stop() {
        if (stopping_) return;
        stopping_ = true;
        sd_notify(0, "STOPPING=1");
        signals_.cancel();
        watchdog_.stop();
        answers_.end_waits();
        asio::co_spawn(io_, daemon_.leave(), [this](std::exception_ptr bug) {
            if (bug) std::rethrow_exception(bug);
            server_->stop([this] { io_.stop(); });
        });
    }

    Options options_;
    asio::io_context io_{1};
    Daemon daemon_;
    Answers answers_;
    std::unique_ptr<control::Server> server_;
    Watchdog watchdog_{io_};
    asio::signal_set signals_{io_, SIGHUP, SIGTERM, SIGINT};
    bool stopping_ = false;
    bool reload_wanted_ = false;
    int exit_code_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    bool only_check = false;
    bool only_detach = false;
    bool only_examine = false;
    bool only_release = false;
    bool only_run_helper = false;
    std::string helper;
    CLI::App app("The daemon of a Bascule load balancer node.", "basculed");
    command_line::set_form(app, version);
    app.footer("Exit codes: 0 well, 1 refused or failed, 2 usage. basculed(8) has more.");
    app.add_option("--config", options.config,
                   "The configuration; conf.d/*.toml beside it is read too")
        ->type_name("FILE")
        ->capture_default_str();
    app.add_option("--runtime-dir", options.runtime_dir, "Where the control socket lives")
        ->type_name("DIR")
        ->capture_default_str();
    app.add_option("--bpffs", options.bpffs, "Folder on a bpffs for tables and programs")
        ->type_name("DIR")
        ->capture_default_str();
    app.add_option("--state-dir", options.state_dir, "What is kept: ring key, operator's words")
        ->type_name("DIR")
        ->capture_default_str();
    app.add_option(
           "--helper", helper,
           "Socket of a `basculed --run-helper`, which starts programs and gives priorities")
        ->type_name("SOCKET");
    app.add_flag("--check", only_check, "Only check the configuration, change nothing");
    app.add_flag("--detach", only_detach,
                 "Only take away programs, tables and VIPs that a dead daemon left");
    app.add_flag("--release-vips", only_release,
                 "Only take away VIPs that a dead daemon left and another node takes");
    app.add_flag("--doctor", only_examine,
                 "Only look for what ails this node, for `bascule doctor`");
    app.add_flag("--run-helper", only_run_helper, "Only be that helper, on a socket of systemd's");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return command_line::explain(app, error);
    }

    if (only_check) return check(options.config);
    if (only_detach) return detach(options);
    if (only_examine) return examine_from_outside(options);
    if (only_release) return release_vips(options);
    if (only_run_helper) return run_helper();
    health::use_helper(helper);
    if (!helper.empty()) sync::ask_for_realtime(health::ask_helper_for_priority);
    // Whoever reads the log may go away; the daemon must not go with it.
    std::signal(SIGPIPE, SIG_IGN);
    start_log(spdlog::level::info);
    LoadedConfig loaded = load_config(options.config);
    if (!loaded.parsed.config) {
        spdlog::error("{}: not started, the configuration has errors:", options.config);
        return report_errors(loaded);
    }
    return Program(std::move(options)).run(std::move(loaded));
}
