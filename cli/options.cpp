// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <CLI/CLI.hpp>

#include "base/command_line.h"
#include "cli/cluster_options.h"
#include "cli/doctor.h"
#include "cli/duration.h"
#include "cli/health_options.h"
#include "cli/names.h"
#include "cli/watch_options.h"
#include "control/framing.h"

namespace bascule::cli {

namespace {

constexpr double kLongestTimeout = 3600;
constexpr std::uint32_t kMostWeight = 65535;

constexpr const char* kBackendFooter =
    "BACKEND is SERVICE/BACKEND, or BACKEND alone when one service has a backend of that name.";
constexpr const char* kExitFooter =
    "Exit codes: 0 well, 1 refused or failed, 2 usage, 3 daemon not reachable, 4 something is "
    "wrong\n"
    "(status, doctor). `bascule COMMAND --help` tells of one command, bascule(1) of all.";

// What the arguments of the commands are read into; it lives as long as the parser.
struct Arguments {
    std::string file = "/etc/bascule/bascule.toml";
    std::string bpffs = "/sys/fs/bpf/bascule";
    std::string service;
    std::string backend;
    std::string source;
    std::string state;
    std::uint32_t limit = control::kDefaultSessions;
    std::uint32_t weight = 0;
    bool reset = false;
    bool wait = false;
    std::string longest;
};

class Parser {
public:
    explicit Parser(Options& options);
    CLI::App& app() { return app_; }

private:
    // A command that asks the daemon; `fill` makes the request of the arguments.
    template <typename Fill>
    CLI::App* ask(CLI::App& parent, const char* name, const char* help, Fill fill);
    void common_options();
    void changes();
    void drain();
    void backend_of(CLI::App* command);
    void shows();
    void sessions(CLI::App& show);
    void local_commands();

    Options& options_;
    Arguments arguments_;
    CLI::App app_{"The operator's command of the Bascule load balancer.", "bascule"};
};

Parser::Parser(Options& options) : options_(options) {
    app_.fallthrough();
    app_.require_subcommand(1);
    command_line::set_form(app_, BASCULE_VERSION);
    common_options();
    ask(app_, "status", "Verdict, what is wrong, cluster, interfaces, VIPs, sessions",
        [](control::Request& request, const Arguments&) { request.mutable_status(); })
        ->add_flag("--all", options_.all, "Counters that are 0 too");
    shows();
    changes();
    add_events(app_, options_);
    add_trace(app_, options_);
    add_capture(app_, options_);
    add_failover(app_, options_);
    add_doctor(app_, options_);
    add_keygen(app_, options_);
    local_commands();
    app_.footer(std::string(kBackendFooter) + "\n" + kExitFooter);
}

void Parser::common_options() {
    app_.add_flag("--json", options_.json, "Print JSON (its schema is in the reference)");
    app_.add_option("--runtime-dir", options_.runtime_dir, "Where the daemon's socket is")
        ->type_name("DIR")
        ->capture_default_str();
    app_.add_option("--timeout", options_.timeout_seconds, "Longest wait for an answer, seconds")
        ->type_name("SECONDS")
        ->check(command_line::seconds(kLongestTimeout))
        ->capture_default_str();
}

template <typename Fill>
CLI::App* Parser::ask(CLI::App& parent, const char* name, const char* help, Fill fill) {
    CLI::App* command = parent.add_subcommand(name, help);
    command->final_callback([this, &parent, name, fill] {
        options_.command = parent.get_parent() == nullptr ? name : parent.get_name() + " " + name;
        Ask task;
        fill(task.request, arguments_);
        options_.task = std::move(task);
    });
    return command;
}

void Parser::shows() {
    CLI::App& show =
        *app_.add_subcommand("show", "Services, backends, health, sessions, drops, peers or VIPs");
    show.require_subcommand(1);
    ask(show, "services", "Services, their backends and their traffic",
        [](control::Request& request, const Arguments&) { request.mutable_show_services(); });
    auto* backends = ask(show, "backends", "Backends: state, weight, share, sessions, traffic",
                         [](control::Request& request, const Arguments& from) {
                             request.mutable_show_backends()->set_service(from.service);
                         });
    backends->add_option("--service", arguments_.service, "Of this service alone")
        ->type_name("NAME");
    backends->add_flag("--detail", options_.detail, "All that is known of each");
    add_show_health(show, options_);
    add_show_peers(show, options_);
    add_show_vips(show, options_);
    ask(show, "drops", "Why packets were dropped, and what else was counted",
        [](control::Request& request, const Arguments&) { request.mutable_show_drops(); })
        ->add_flag("--all", options_.all, "Counters that are 0 too");
    sessions(show);
}

void Parser::sessions(CLI::App& show) {
    auto* command = ask(show, "sessions", "Sessions, as many as --limit says",
                        [](control::Request& request, const Arguments& from) {
                            auto& filter = *request.mutable_show_sessions();
                            filter.set_service(from.service);
                            filter.set_backend(from.backend);
                            filter.set_source(from.source);
                            filter.set_limit(from.limit);
                            if (auto state = session_state(from.state)) filter.set_state(*state);
                        });
    command->add_option("--service", arguments_.service, "Of this service")->type_name("NAME");
    command->add_option("--backend", arguments_.backend, "On this backend")->type_name("BACKEND");
    command->add_option("--source", arguments_.source, "From this address or prefix")
        ->type_name("ADDRESS");
    command
        ->add_option("--state", arguments_.state,
                     "In this state: embryonic, adopted, closing, established")
        ->type_name("STATE")
        ->check(command_line::one_of({"embryonic", "adopted", "closing", "established"}));
    command->add_option("--limit", arguments_.limit, "How many at most")
        ->type_name("N")
        ->check(command_line::number(1, control::kMostSessions))
        ->capture_default_str();
}

void Parser::backend_of(CLI::App* command) {
    command->add_option("BACKEND", arguments_.backend, "Which one")->required();
    command->footer(kBackendFooter);
}

// Its --timeout is that of the wait, where there is one.
void Parser::drain() {
    CLI::App* command =
        app_.add_subcommand("drain", "No new flows to a backend; its sessions stay");
    backend_of(command);
    command->add_flag("--wait", arguments_.wait, "Until its last session is gone");
    command
        ->add_option("--timeout", arguments_.longest,
                     "With --wait: how long at most, such as 90s or 1h (default: without limit)")
        ->type_name("DURATION")
        ->check([](const std::string& text) {
            const auto duration = parse_duration(text);
            return duration && duration->count() > 0
                       ? std::string()
                       : "'" + text + "' is no duration such as 90s, 10m or 1h";
        });
    command->final_callback([this] {
        options_.command = "drain";
        const auto longest = parse_duration(arguments_.longest);
        if (arguments_.wait) {
            options_.task = DrainWait{arguments_.backend, longest};
            return;
        }
        if (longest) options_.timeout_seconds = static_cast<double>(longest->count());
        Ask task;
        task.request.mutable_drain()->set_backend(arguments_.backend);
        options_.task = std::move(task);
    });
}

void Parser::changes() {
    ask(app_, "reload", "Apply the configuration files, whole or not at all",
        [](control::Request& request, const Arguments&) { request.mutable_reload(); });
    drain();
    backend_of(ask(app_, "disable", "No new flows to a backend; its sessions move",
                   [](control::Request& request, const Arguments& from) {
                       request.mutable_disable()->set_backend(from.backend);
                   }));
    backend_of(ask(app_, "enable", "Take a drain or a disable back",
                   [](control::Request& request, const Arguments& from) {
                       request.mutable_enable()->set_backend(from.backend);
                   }));
    CLI::App* weight = ask(app_, "weight", "Give a backend another weight than its file",
                           [](control::Request& request, const Arguments& from) {
                               auto& set = *request.mutable_set_weight();
                               set.set_backend(from.backend);
                               if (!from.reset) set.set_weight(from.weight);
                           });
    backend_of(weight);
    auto* number = weight->add_option("N", arguments_.weight, "The weight; 0: no new flows")
                       ->check(command_line::number(0, kMostWeight));
    auto* reset = weight->add_flag("--reset", arguments_.reset, "The file's weight again");
    reset->excludes(number);
    weight->parse_complete_callback([number, reset] {
        if (number->count() + reset->count() == 0) throw CLI::RequiredError("N or --reset");
    });
}

void Parser::local_commands() {
    CLI::App* check = app_.add_subcommand("check", "Check configuration files, change nothing");
    check->add_option("FILE", arguments_.file, "The main file")->capture_default_str();
    check->final_callback([this] {
        options_.command = "check";
        options_.task = Check{arguments_.file};
    });
    CLI::App* detach = app_.add_subcommand(
        "detach", "Stop balancing: end the daemon, take programs, VIPs and pins away");
    detach->add_option("--bpffs", arguments_.bpffs, "Where the pins are, when no daemon runs")
        ->type_name("DIR")
        ->capture_default_str();
    detach->final_callback([this] {
        options_.command = "detach";
        options_.task = Detach{arguments_.bpffs};
    });
    app_.add_subcommand("version", "Versions of this command and of the daemon")
        ->final_callback([this] {
            options_.command = "version";
            options_.task = Version{};
        });
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, int& exit_code) {
    Options options;
    Parser parser(options);
    try {
        parser.app().parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        exit_code = command_line::explain(parser.app(), error);
        return std::nullopt;
    }
    return options;
}

}  // namespace bascule::cli
