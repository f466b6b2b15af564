// SPDX-License-Identifier: Apache-2.0
#include "backend/service.h"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "backend/files.h"
#include "backend/words.h"
#include "base/log.h"

namespace bascule::backend {
namespace {

// Addresses of a host come in bursts; one look for all of a burst.
constexpr int burst_milliseconds = 20;

Descriptor block_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1})
        sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    return Descriptor(::signalfd(-1, &set, SFD_CLOEXEC));
}

// Number of the signal that is pending; 0: none.
int next_signal(int fd) {
    signalfd_siginfo info{};
    return ::read(fd, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

void log_ready(const Config& config, const Record& record) {
    for (const HookedInterface& interface : record.interfaces)
        if (!interface.warning.empty()) spdlog::warn("{}: {}", interface.name, interface.warning);
    for (const Vip& vip : config.vips)
        spdlog::info("VIP {}: {}, {} restored{}", vip.address.to_string(), vip.modes.to_string(),
                     counted(vip.ports.size(), "port"), vip.hold ? "" : ", held by somebody else");
}

class Service {
public:
    Service(Companion companion, NetlinkEvents events, Descriptor signals, const Options& options)
        : companion_(std::move(companion)),
          events_(std::move(events)),
          signals_(std::move(signals)),
          options_(options) {}

    bool apply(const LoadedConfig& loaded) {
        if (auto applied = companion_.apply(loaded.config, loaded.text); !applied) {
            spdlog::error("{}", applied.error().text());
            return false;
        }
        log_ready(loaded.config, companion_.record());
        companion_.tell(++applied_, refused_);
        return true;
    }

    // Until a signal ends it; the exit code.
    int run() {
        for (;;) {
            std::array<pollfd, 2> polled = {
                {{signals_.get(), POLLIN, 0}, {events_.fd(), POLLIN, 0}}};
            if (::poll(polled.data(), polled.size(), companion_.refresh_due()) < 0 &&
                errno != EINTR) {
                spdlog::error("{}", Error::system("poll", errno).text());
                return 1;
            }
            if (polled[1].revents != 0 || companion_.refresh_due() == 0) follow_host();
            if (polled[0].revents == 0) continue;
            switch (next_signal(signals_.get())) {
                case SIGHUP:
                    reload();
                    break;
                case SIGUSR1:
                    spdlog::info("ending: everything stays in place for the next start");
                    return 0;
                case SIGTERM:
                case SIGINT:
                    return stop();
                default:
                    break;
            }
        }
    }

private:
    void follow_host() {
        ::poll(nullptr, 0, burst_milliseconds);
        events_.drain();
        const std::uint64_t before = companion_.put_back_count();
        if (auto done = companion_.refresh(); !done)
            spdlog::error("following this host's network: {}", done.error().text());
        if (companion_.put_back_count() != before) companion_.tell(applied_, refused_);
    }

    void reload() {
        sd_notify(0, "STATUS=reloading");
        const auto config = load_config(options_.config);
        const bool done = config && apply(*config);
        if (done) {
            spdlog::info("reloaded {}", options_.config);
            sd_notify(0, "STATUS=running");
        } else {
            refuse(companion_.is_torn());
        }
    }

    void refuse(bool is_torn) {
        if (is_torn)
            spdlog::error(
                "{}: refused, and this host is between two configurations: what was before could "
                "not be put back whole. Mend what is told above, and reload",
                options_.config);
        else
            spdlog::error("{}: refused, everything stays as it was", options_.config);
        sd_notify(0, is_torn ? "STATUS=between two configurations: a reload failed half-way"
                             : "STATUS=running; the last reload was refused");
        companion_.tell(applied_, ++refused_);
    }

    int stop() {
        sd_notify(0, "STOPPING=1");
        if (auto undone = companion_.undo(); !undone) {
            spdlog::error("not everything could be undone: {}", undone.error().text());
            return 1;
        }
        spdlog::info("stopped: this host is as it was found");
        return 0;
    }

    Companion companion_;
    NetlinkEvents events_;
    Descriptor signals_;
    Options options_;
    std::uint64_t applied_ = 0;
    std::uint64_t refused_ = 0;
};

}  // namespace

std::optional<LoadedConfig> load_config(const std::string& file) {
    auto text = read_file(file);
    if (text && !*text) text = failure("read " + file + ": no such file");
    if (!text) {
        fmt::print(stderr, "{}\n", text.error().text());
        return {};
    }
    ParsedConfig parsed = parse_config(file, **text);
    for (const auto& error : parsed.errors)
        fmt::print(stderr, "{}\n", error.to_string());
    if (!parsed.config) return {};
    return LoadedConfig{std::move(*parsed.config), std::move(**text)};
}

int run_service(const Options& options) {
    std::signal(SIGPIPE, SIG_IGN);
    start_log(spdlog::level::info);
    auto signals = block_signals();
    const auto config = load_config(options.config);
    if (!config) {
        spdlog::error("{}: not started, the configuration has errors", options.config);
        return 1;
    }
    // Before the host is looked at, so that no change is missed between.
    auto events = NetlinkEvents::open();
    auto companion =
        events ? Companion::open(options) : Result<Companion>(failure(std::move(events.error())));
    if (!companion) {
        spdlog::error("{}", companion.error().text());
        return 1;
    }
    Service service(std::move(*companion), std::move(*events), std::move(signals), options);
    if (!service.apply(*config)) return 1;
    sd_notify(0, "READY=1");
    spdlog::info("running with {}", options.config);
    return service.run();
}

}  // namespace bascule::backend
