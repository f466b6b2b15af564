// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace bascule::test {

namespace {

bool mount_private(const char* type, const char* target) {
    if (::mount(type, target, type, 0, nullptr) == 0) return true;
    std::fprintf(stderr, "mount %s on %s: %s\n", type, target, std::strerror(errno));
    return false;
}

Descriptor current_network() {
    Descriptor fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    if (!fd) throw std::runtime_error("cannot open the network namespace");
    return fd;
}

Descriptor new_network() {
    if (::unshare(CLONE_NEWNET) != 0) throw std::runtime_error("cannot make a network namespace");
    return current_network();
}

void enter(const Descriptor& network) {
    if (::setns(network.get(), CLONE_NEWNET) != 0)
        throw std::runtime_error("cannot enter a network namespace");
}

Mac mac_of(const std::string& interface) {
    const Ended shown = shell("ip -o link show dev " + interface);
    const std::size_t at = shown.output.find("link/ether ");
    const auto mac =
        at == std::string::npos ? std::nullopt : Mac::parse(shown.output.substr(at + 11, 17));
    if (!mac) throw std::runtime_error("no MAC address of " + interface);
    return *mac;
}

// Checksums are to be right in every frame, and addresses to be there at once.
void bring_up(const std::string& interface) {
    must("ip link set lo up && ethtool -K " + interface + " tx off tso off gso off >/dev/null");
    must("sysctl -qw net.ipv6.conf." + interface + ".accept_dad=0 && ip link set " + interface +
         " up");
}

}  // namespace

bool enter_private_world() {
    if (::unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) {
        std::fprintf(stderr, "this test needs root: unshare: %s\n", std::strerror(errno));
        return false;
    }
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    return mount_private("sysfs", "/sys") && mount_private("bpf", "/sys/fs/bpf") &&
           mount_private("tmpfs", "/mnt");
}

Address ip(const char* text) {
    return Address::parse(text).value();
}

Ended shell(const std::string& command) {
    Ended ended;
    FILE* pipe = ::popen(("{ " + command + "\n} 2>&1").c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("popen");
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;)
        ended.output.push_back(static_cast<char>(c));
    const int status = ::pclose(pipe);
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ended;
}

void must(const std::string& command) {
    const Ended ended = shell(command);
    if (ended.status != 0) throw std::runtime_error(command + ": " + ended.output);
}

// ---- the lab ----

void Lab::SetUp() {
    here_ = new_network();
    there_ = new_network();
    enter(here_);
    must("ip link add eth0 type veth peer name peer0 netns /proc/" + std::to_string(::getpid()) +
         "/fd/" + std::to_string(there_.get()));
    bring_up("eth0");
    must(std::string("ip addr add ") + server4 + "/24 dev eth0 && ip addr add " + server6 +
         "/64 dev eth0 nodad");
    must(std::string("ip route add 198.51.100.0/24 via ") + balancer4 +
         " && ip route add 2001:db8:1::/64 via " + balancer6);
    must("rm -rf " + directory_ + " && mkdir -p " + sysctl_dir_);
    server_mac_ = mac_of("eth0");
    there([&] {
        bring_up("peer0");
        must(std::string("ip addr add ") + balancer4 + "/24 dev peer0 && ip addr add " + balancer6 +
             "/64 dev peer0 nodad");
        there_mac_ = mac_of("peer0");
        wire_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
        sockaddr_ll address{};
        address.sll_family = AF_PACKET;
        address.sll_ifindex = static_cast<int>(::if_nametoindex("peer0"));
        ASSERT_EQ(::bind(wire_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    });
    // The kernel adds it some time after both ends are up, and then asks whether it is free; every
    // snapshot is to have it, and alike.
    ASSERT_TRUE(eventually([] {
        const std::string all = shell("ip -6 -o addr show dev eth0 scope link").output;
        return !all.empty() && all.find("tentative") == std::string::npos;
    }));
}

void Lab::TearDown() {
    if (process_ != 0) kill();
    command("undo");
    wire_.reset();
}

void Lab::there(const std::function<void()>& what) {
    enter(there_);
    what();
    enter(here_);
}

std::string Lab::config(const std::string& forward, const std::string& server_keys, bool ports) {
    std::string text = "[server]\ninterfaces = [\"eth0\"]\nbalancers = [\"" +
                       std::string(balancer4) + "\", \"fd00:9::2/127\"]\n" + server_keys + "\n";
    for (const char* vip : {vip4, vip6}) {
        text += "[[vip]]\naddress = \"" + std::string(vip) + "\"\nforward = " + forward + "\n";
        for (const char* protocol : {"tcp", "udp"})
            if (ports)
                text += "[[vip.port]]\nprotocol = \"" + std::string(protocol) +
                        "\"\nservice = " + std::to_string(service_port) +
                        "\nserver = " + std::to_string(server_port) + "\n";
    }
    return text;
}

void Lab::write_config(const std::string& text) {
    std::ofstream(directory_ + "/backend.toml") << text;
}

std::vector<std::string> Lab::words(const std::string& command) const {
    std::vector<std::string> all = {BASCULE_BACKEND_PROGRAM,
                                    "--config",
                                    directory_ + "/backend.toml",
                                    "--runtime-dir",
                                    directory_ + "/run",
                                    "--bpffs",
                                    bpffs_,
                                    "--sysctl-dir",
                                    sysctl_dir_};
    std::istringstream more(command);
    for (std::string word; more >> word;)
        all.push_back(word);
    return all;
}

Ended Lab::command(const std::string& command) {
    std::string line;
    for (const std::string& word : words(command))
        line += "'" + word + "' ";
    return shell(line);
}

Ended Lab::run_to_end() {
    return command("run");
}

void Lab::start(const std::string& config_text) {
    write_config(config_text);
    start();
}

void Lab::start() {
    const std::string log_file = directory_ + "/log";
    std::vector<std::string> all = words("run");
    process_ = ::fork();
    if (process_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::dup2(log, STDOUT_FILENO);
        ::dup2(log, STDERR_FILENO);
        std::vector<char*> argv;
        for (std::string& word : all)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    ASSERT_TRUE(eventually([&] { return command("status").status == 0; }))
        << log() << command("status").output;
}

void Lab::send(int signal) const {
    ::kill(process_, signal);
}

int Lab::end(int signal) {
    int status = 0;
    send(signal);
    ::waitpid(process_, &status, 0);
    process_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Lab::kill() {
    end(SIGKILL);
}

std::string Lab::log() const {
    std::ifstream file(directory_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
}

std::uint64_t Lab::counter(const std::string& name) {
    const auto json = nlohmann::json::parse(command("status --json").output, nullptr, false);
    return json.is_discarded() ? 0 : json["counters"].value(name, std::uint64_t{0});
}

bool Lab::eventually(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
        if (std::chrono::steady_clock::now() > end) return false;
        ::usleep(20'000);
    }
    return true;
}

void Lab::send_packet(const backend::Bytes& packet) {
    const backend::Bytes bytes = backend::frame(server_mac_, there_mac_, packet);
    ASSERT_EQ(::send(wire_.get(), bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
}

std::string Lab::snapshot() {
    return shell(
               // ip(8) also looks into namespaces of others, which come and go meanwhile.
               "exec 2>/dev/null; ip -o addr show; ip link show dev eth0; tc qdisc show dev eth0; "
               "tc filter show dev eth0 egress; tc filter show dev eth0 ingress; "
               "sysctl net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce "
               "net.ipv4.conf.eth0.arp_ignore net.ipv4.conf.eth0.arp_announce; "
               "ls /mnt/server/sysctl.d /sys/fs/bpf; cat /mnt/server/sysctl.d/*.conf; "
               "ls /mnt/server/run/state.json; true")
        .output;
}

}  // namespace bascule::test
