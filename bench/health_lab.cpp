// SPDX-License-Identifier: Apache-2.0
#include "bench/health_lab.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "bench/health_server.h"

namespace bascule::bench {
namespace {

constexpr const char* here_address = "10.76.0.1";
constexpr const char* there_address = "10.76.0.2";
constexpr const char* servers = "10.77.0.0/16";

Result<void> run(const std::string& command) {
    if (std::system(command.c_str()) != 0) return failure("failed: " + command);
    return {};
}

Result<void> run_all(const std::vector<std::string>& commands) {
    for (const std::string& command : commands)
        if (auto done = run(command); !done) return done;
    return {};
}

// In a new network namespace; a descriptor that holds it.
Result<int> enter_new() {
    if (unshare(CLONE_NEWNET) != 0)
        return failure(Error::system("make a network namespace (root is needed)", errno));
    const int fd = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return failure(Error::system("open /proc/self/ns/net", errno));
    return fd;
}

std::string file_of(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

// A certificate of its own, in memory, and a server that shows it.
int serve_https() {
    const std::string key = file_of(memfd_create("key", 0));
    const std::string certificate = file_of(memfd_create("certificate", 0));
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        " -subj /CN=bench -days 1 -keyout " +
        key + " -out " + certificate + " 2>/dev/null";
    if (std::system(make.c_str()) != 0) return 1;
    const int null = ::open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        dup2(null, fd);
    const std::string port = std::to_string(HealthLab::https_port);
    execlp("openssl", "openssl", "s_server", "-accept", port.c_str(), "-key", key.c_str(), "-cert",
           certificate.c_str(), "-www", static_cast<char*>(nullptr));
    return 1;
}

}  // namespace

Result<HealthLab> HealthLab::open() {
    const auto there = enter_new();
    if (!there) return failure(there.error());
    auto there_up =
        run_all({"ip link set lo up", std::string("ip route add local ") + servers + " dev lo"});
    if (!there_up) return failure(there_up.error());
    HealthLab lab;
    auto fast = Child::start([] { return serve(tcp_port, http_port); });
    if (!fast) return failure(fast.error());
    lab.servers_.push_back(std::move(*fast));
    auto tls = Child::start(serve_https);
    if (!tls) return failure(tls.error());
    lab.servers_.push_back(std::move(*tls));

    const std::string there_file =
        "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(*there);
    const auto here = enter_new();
    if (!here) return failure(here.error());
    auto made = run_all({"ip link set lo up", "ip link add eth0 type veth peer name eth1",
                         "ip link set eth1 netns " + there_file,
                         std::string("ip addr add ") + here_address + "/24 dev eth0",
                         "ip link set eth0 up"});
    if (!made) return failure(made.error());
    if (setns(*there, CLONE_NEWNET) != 0) return failure(Error::system("setns", errno));
    made = run_all(
        {std::string("ip addr add ") + there_address + "/24 dev eth1", "ip link set eth1 up"});
    if (!made) return failure(made.error());
    if (setns(*here, CLONE_NEWNET) != 0) return failure(Error::system("setns", errno));
    close(*there);
    close(*here);
    made = run(std::string("ip route add ") + servers + " via " + there_address);
    if (!made) return failure(made.error());
    return lab;
}

Address HealthLab::address(std::uint32_t number) {
    const std::uint32_t host = number + 256;
    return Address::v4(
        {10, 77, static_cast<std::uint8_t>(host >> 8), static_cast<std::uint8_t>(host)});
}

Address HealthLab::source() {
    return *Address::parse(here_address);
}

}  // namespace bascule::bench
