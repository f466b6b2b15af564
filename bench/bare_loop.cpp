// SPDX-License-Identifier: Apache-2.0
#include "bench/bare_loop.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <thread>

namespace bascule::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view request =
    "GET / HTTP/1.1\r\nHost: 10.77.1.0\r\nUser-Agent: bench\r\nAccept: */*\r\nConnection: "
    "close\r\n\r\n";

sockaddr_in ipv4(const Address& address, std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    out.sin_addr.s_addr = address.v4_wire();
    return out;
}

bool check(const BareTarget& target) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // As probes do: TIME_WAIT would use up the local ports.
    const linger at_once{1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    bool good = true;
    if (!target.source.is_unspecified()) {
        const sockaddr_in source = ipv4(target.source, 0);
        good = bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0;
    }
    const sockaddr_in to = ipv4(target.address, target.port);
    good = good && connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    if (good && target.http) {
        std::array<char, 4096> answer;
        good = send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0 &&
               recv(fd, answer.data(), answer.size(), 0) > 0;
    }
    close(fd);
    return good;
}

}  // namespace

std::chrono::microseconds cpu_time() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

BareFigures run_bare_loop(const std::vector<BareTarget>& targets, int seconds) {
    BareFigures figures;
    std::array<std::chrono::microseconds, 2> cpu{};
    std::array<std::uint64_t, 2> checks{};
    std::vector<double> walls;
    auto next = Clock::now();
    for (int second = 0; second < seconds; ++second) {
        for (const bool http : {false, true}) {
            const auto before = cpu_time();
            for (const BareTarget& target : targets) {
                if (target.http != http) continue;
                const auto began = Clock::now();
                if (!check(target)) ++figures.failures;
                walls.push_back(
                    std::chrono::duration<double, std::micro>(Clock::now() - began).count());
                ++checks[http];
            }
            cpu[http] += cpu_time() - before;
        }
        next += std::chrono::seconds(1);
        std::this_thread::sleep_until(next);
    }
    const auto each = [](std::chrono::microseconds time, std::uint64_t count) {
        return static_cast<double>(time.count()) /
               static_cast<double>(std::max(count, std::uint64_t{1}));
    };
    figures.checks = checks[0] + checks[1];
    figures.cpu_tcp = each(cpu[0], checks[0]);
    figures.cpu_http = each(cpu[1], checks[1]);
    figures.cpu = each(cpu[0] + cpu[1], figures.checks);
    if (walls.empty()) return figures;
    std::nth_element(walls.begin(), walls.begin() + static_cast<std::ptrdiff_t>(walls.size() / 2),
                     walls.end());
    figures.wall = walls[walls.size() / 2];
    return figures;
}

}  // namespace bascule::bench
