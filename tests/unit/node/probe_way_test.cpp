// SPDX-License-Identifier: Apache-2.0
// Probes on the true path, end to end: this host holds the VIP, and connections to made-up
// addresses end at a server that has the VIP on its loopback interface. Real sockets, real program.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "dataplane/dataplane.h"
#include "model/plan.h"
#include "node/probe_path.h"
#include "tests/unit/node/netns.h"

namespace bascule::node {
namespace {

using dataplane::Dataplane;
using model::Protocol;
using testing::ip;

constexpr const char* vip4 = "10.9.0.100";
constexpr const char* vip6 = "2001:db8::100";

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    SocketAddress(const Address& address, std::uint16_t port) {
        if (address.is_v4()) {
            const sockaddr_in v4{AF_INET, htons(port), {address.v4_wire()}, {}};
            std::memcpy(&storage, &v4, size = sizeof v4);
        } else {
            sockaddr_in6 v6{};
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(port);
            std::memcpy(&v6.sin6_addr, address.bytes().data(), 16);
            std::memcpy(&storage, &v6, size = sizeof v6);
        }
    }
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

constexpr timeval long_patience{5, 0};
constexpr timeval short_patience{0, 300'000};
// More than is ever sent to a made-up address at once, and as much as a frame holds.
constexpr std::size_t large_answer = 1400;

int make_socket(const Address& address, Protocol protocol, timeval patience = long_patience) {
    const int type = protocol == Protocol::tcp ? SOCK_STREAM : SOCK_DGRAM;
    const int fd = socket(address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

// Echoes what it gets, or a large answer to "large", until it goes; whatever namespace its sockets
// are of.
class Server {
public:
    void listen(const Address& address, std::uint16_t port, Protocol protocol) {
        const int fd = make_socket(address, protocol);
        const int on = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        const SocketAddress at(address, port);
        ASSERT_EQ(bind(fd, at.get(), at.size), 0) << std::strerror(errno);
        if (protocol == Protocol::tcp) {
            ASSERT_EQ(::listen(fd, 16), 0);
        }
        sockets_.push_back({fd, protocol});
    }
    void start() {
        thread_ = std::thread([this] { run(); });
    }
    ~Server() {
        stop_ = true;
        if (thread_.joinable()) thread_.join();
        for (const auto& [fd, protocol] : sockets_)
            close(fd);
    }

private:
    void run() {
        std::vector<pollfd> polls;
        for (const auto& [fd, protocol] : sockets_)
            polls.push_back({fd, POLLIN, 0});
        while (!stop_) {
            if (poll(polls.data(), polls.size(), 20) <= 0) continue;
            for (std::size_t i = 0; i < polls.size(); ++i)
                if (polls[i].revents != 0) serve(sockets_[i].first, sockets_[i].second);
        }
    }
    static void serve(int fd, Protocol protocol) {
        char buffer[2048];
        if (protocol == Protocol::udp) {
            sockaddr_storage from{};
            socklen_t size = sizeof from;
            auto* name = reinterpret_cast<sockaddr*>(&from);
            const auto got = recvfrom(fd, buffer, sizeof buffer, 0, name, &size);
            if (got < 0) return;
            auto length = static_cast<std::size_t>(got);
            if (std::string(buffer, length) == "large") length = large_answer;
            sendto(fd, buffer, length, 0, name, size);
            return;
        }
        const int client = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &long_patience, sizeof long_patience);
        const auto got = recv(client, buffer, sizeof buffer, 0);
        if (got > 0) send(client, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
        close(client);
    }

    std::vector<std::pair<int, Protocol>> sockets_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

class ProbeWay : public testing::Namespaces {
protected:
    void SetUp() override {
        Namespaces::SetUp();
        if (IsSkipped()) return;
        mount_own_bpffs();
        write("/proc/sys/net/ipv4/conf/all/rp_filter", "1");
        write("/proc/sys/net/ipv4/conf/default/rp_filter", "1");
        write("/proc/sys/net/ipv4/conf/eth0/rp_filter", "1");
        // The program changes addresses of what comes in, which has to have whole checksums, as it
        // has on a wire.
        run("ethtool -K eth0 tx off > /dev/null");
        // This host holds the VIPs.
        run("ip addr add 10.9.0.100/32 dev eth0");
        run("ip -6 addr add 2001:db8::100/128 dev eth0 nodad");
        there([&] {
            run("ethtool -K eth1 tx off > /dev/null");
            write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1");
            write("/proc/sys/net/ipv4/conf/all/arp_announce", "2");
            run("ip addr add 10.9.0.100/32 dev lo");
            run("ip -6 addr add 2001:db8::100/128 dev lo nodad");
        });
        open();
    }
    void TearDown() override {
        plane_.reset();
        if (!IsSkipped()) {
            EXPECT_TRUE(Dataplane::detach_all(bpffs_));
            EXPECT_TRUE(remove_probe_path());
        }
        Namespaces::TearDown();
    }

    // As a daemon that starts, or starts again.
    void open() {
        plane_.reset();
        auto opened = Dataplane::open({bpffs_, 10'000, 10'000, {1, 2}});
        ASSERT_TRUE(opened) << opened.error().text();
        plane_ = std::move(*opened);
        ASSERT_TRUE(plane_->attach("eth0", model::XdpMode::automatic));
        const auto path = open_probe_path(config_.node);
        ASSERT_TRUE(path) << path.error().text();
        const auto set = plane_->set_probe_path(*path);
        ASSERT_TRUE(set) << set.error().text();
        for (const char* vip : {vip4, vip6})
            plane_->add_probe_source(source(ip(vip)));
    }
    void mount_own_bpffs() {
        static bool mounted = false;
        if (mounted) return;
        ASSERT_EQ(unshare(CLONE_NEWNS), 0) << std::strerror(errno);
        ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        ASSERT_EQ(mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr), 0) << std::strerror(errno);
        mounted = true;
    }

    void want(const Address& vip, std::uint16_t port, Protocol protocol, std::uint16_t server_port,
              model::Forward forward = model::Forward::l2) {
        model::DesiredBackend backend;
        backend.key = {ip(vip.is_v4() ? "10.9.0.2" : "2001:db8::2"), server_port};
        backend.weight = 100;
        backend.up = false;  // probes find out whether it is
        backend.next_hop = {*Mac::parse(mac_there), link().ifindex, 0, *Mac::parse(mac_here), 1500};
        backend.delivery.forward = forward;
        backend.delivery.rewrite_port = server_port == port ? 0 : server_port;
        backend.delivery.tunnel_source = source(vip);
        if (forward == model::Forward::gue) backend.delivery.gue_port = 6080;
        model::DesiredService service;
        service.key = {vip, {port, port}, protocol};
        service.ring_size = 251;
        service.backends = {backend};
        desired_.services.push_back(service);
        desired_.vips = {{ip(vip4), true}, {ip(vip6), true}};
        auto plan = model::plan(plane_->tables(), desired_);
        ASSERT_TRUE(plan);
        ASSERT_TRUE(plane_->apply(*plan));
    }

    Address source(const Address& vip) {
        config_.node.interfaces = {"eth0"};
        config_.vips = {{ip(vip4), "eth0"}, {ip(vip6), "eth0"}};
        return probe_source(config_, {vip, "eth0"}).value();
    }

    // The slot and made-up address of the one backend of a service.
    std::uint16_t slot_of(const Address& vip, std::uint16_t port, Protocol protocol) {
        for (const auto& [slot, backend] : plane_->tables().backends)
            if (plane_->tables().services.at(backend.service).key ==
                model::ServiceKey{vip, {port, port}, protocol})
                return slot;
        return 0;
    }
    Address made_up(const Address& vip, std::uint16_t port, Protocol protocol) {
        const std::uint16_t slot = slot_of(vip, port, protocol);
        return probe_address(config_.node, vip, slot,
                             plane_->tables().backends.at(slot).generation);
    }
    dataplane::ProbeNote note(const Address& vip, std::uint16_t port, Protocol protocol) {
        return plane_->probe_note(slot_of(vip, port, protocol));
    }

    // "" when what was sent came back, else what the socket says.
    std::string probe(const Address& vip, std::uint16_t port, Protocol protocol,
                      const std::string& text = "hello") {
        const int fd = make_socket(vip, protocol, patience_);
        const std::string problem = probe_with(fd, vip, port, protocol, text);
        close(fd);
        return problem;
    }
    std::string probe_with(int fd, const Address& vip, std::uint16_t port, Protocol protocol,
                           const std::string& text) {
        const auto last_error = [] { return std::string(std::strerror(errno)); };
        const SocketAddress from(source(vip), 0);
        if (bind(fd, from.get(), from.size) != 0) return "bind: " + last_error();
        const linger reset{1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        const SocketAddress to(made_up(vip, port, protocol), port);
        if (connect(fd, to.get(), to.size) != 0) return last_error();
        if (send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) return last_error();
        char answer[2048];
        const auto got = recv(fd, answer, sizeof answer, 0);
        if (got < 0) return last_error();
        const std::size_t length = text == "large" ? large_answer : text.size();
        return static_cast<std::size_t>(got) == length &&
                       text.compare(0, length, answer, text.size()) == 0
                   ? ""
                   : "another answer";
    }
    // That is what was last seen, now or soon: a socket gives up before the network does.
    void expect_note(const Address& vip, std::uint16_t port, Protocol protocol,
                     bsc_probe_event event) {
        run_until([&] { return note(vip, port, protocol).event == event; },
                  std::chrono::seconds(5));
        EXPECT_EQ(note(vip, port, protocol).event, std::uint32_t{event})
            << vip.to_string() << " " << name_of(protocol);
    }

    // Probes are no client's packets.
    void expect_no_traffic() {
        for (const auto& [slot, service] : plane_->tables().services) {
            EXPECT_EQ(plane_->service_traffic(slot).packets, 0U);
            EXPECT_EQ(plane_->service_traffic(slot).new_sessions, 0U);
        }
    }
    // What a socket says that has waited in vain.
    static std::string timed_out() { return std::strerror(EAGAIN); }

    const std::string bpffs_ = "/sys/fs/bpf/way";
    model::Config config_;
    model::Desired desired_;
    std::unique_ptr<Dataplane> plane_;
    timeval patience_ = long_patience;
};

TEST_F(ProbeWay, LeadsTheHolderOfTheVipToTheServerAndBack) {
    Server server;
    there([&] {
        for (const char* vip : {vip4, vip6})
            for (const Protocol protocol : {Protocol::tcp, Protocol::udp})
                server.listen(ip(vip), 80, protocol);
    });
    server.start();
    for (const char* vip : {vip4, vip6})
        for (const Protocol protocol : {Protocol::tcp, Protocol::udp}) {
            want(ip(vip), 80, protocol, 80);
            EXPECT_EQ(probe(ip(vip), 80, protocol), "") << vip << " " << name_of(protocol);
            expect_note(ip(vip), 80, protocol, BSC_PROBE_ANSWERED);
            EXPECT_NE(note(ip(vip), 80, protocol).generation, 0);
        }
    expect_no_traffic();
}

TEST_F(ProbeWay, GoesByTheRewrittenPort) {
    Server server;
    there([&] { server.listen(ip(vip4), 8080, Protocol::tcp); });
    server.start();
    want(ip(vip4), 80, Protocol::tcp, 8080);
    // The server's companion would write port 80 back; without it the answer is from 8080.
    patience_ = short_patience;
    EXPECT_NE(probe(ip(vip4), 80, Protocol::tcp), "");
    expect_note(ip(vip4), 80, Protocol::tcp, BSC_PROBE_OTHER_PORT);
    EXPECT_EQ(note(ip(vip4), 80, Protocol::tcp).port, 8080);
}

TEST_F(ProbeWay, AnswersMayBeAsLargeAsAFrame) {
    Server server;
    there([&] {
        for (const char* vip : {vip4, vip6})
            server.listen(ip(vip), 53, Protocol::udp);
    });
    server.start();
    for (const char* vip : {vip4, vip6}) {
        want(ip(vip), 53, Protocol::udp, 53);
        EXPECT_EQ(probe(ip(vip), 53, Protocol::udp, "large"), "") << vip;
        EXPECT_EQ(probe(ip(vip), 53, Protocol::udp, std::string(1200, 'x')), "") << vip;
    }
}

TEST_F(ProbeWay, ANobodyListeningIsRefusedByTheServer) {
    for (const char* vip : {vip4, vip6}) {
        want(ip(vip), 80, Protocol::tcp, 80);
        EXPECT_EQ(probe(ip(vip), 80, Protocol::tcp), std::strerror(ECONNREFUSED)) << vip;
        want(ip(vip), 53, Protocol::udp, 53);
        EXPECT_EQ(probe(ip(vip), 53, Protocol::udp), std::strerror(ECONNREFUSED)) << vip;
        expect_note(ip(vip), 53, Protocol::udp, BSC_PROBE_ICMP);
    }
}

TEST_F(ProbeWay, ATunnelThatIsNotTakenApartSaysSo) {
    there([] { write("/proc/sys/net/ipv4/icmp_ratelimit", "0"); });
    want(ip(vip4), 80, Protocol::udp, 80, model::Forward::ipip);
    patience_ = short_patience;
    EXPECT_EQ(probe(ip(vip4), 80, Protocol::udp), timed_out());
    expect_note(ip(vip4), 80, Protocol::udp, BSC_PROBE_ICMP_OUTER);
    const auto seen = note(ip(vip4), 80, Protocol::udp);
    EXPECT_EQ(seen.from.to_string(), "10.9.0.2");
    EXPECT_EQ(seen.detail, 3U << 8 | 2U) << "protocol unreachable";
}

TEST_F(ProbeWay, AServerThatForwardsAndLacksTheVipIsFoundOut) {
    there([] {
        run("ip addr del 10.9.0.100/32 dev lo");
        write("/proc/sys/net/ipv4/ip_forward", "1");
        write("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
        write("/proc/sys/net/ipv4/conf/eth1/rp_filter", "0");
    });
    want(ip(vip4), 80, Protocol::udp, 80);
    patience_ = short_patience;
    EXPECT_EQ(probe(ip(vip4), 80, Protocol::udp), timed_out());
    expect_note(ip(vip4), 80, Protocol::udp, BSC_PROBE_BOUNCED);
    expect_no_traffic();
}

TEST_F(ProbeWay, WorksOnAfterARestartAndMeanwhile) {
    Server server;
    there([&] {
        for (const char* vip : {vip4, vip6})
            server.listen(ip(vip), 80, Protocol::tcp);
    });
    server.start();
    for (const char* vip : {vip4, vip6})
        want(ip(vip), 80, Protocol::tcp, 80);
    const int fd = make_socket(ip(vip4), Protocol::tcp);
    const SocketAddress from(source(ip(vip4)), 0);
    ASSERT_EQ(bind(fd, from.get(), from.size), 0);
    const SocketAddress to(made_up(ip(vip4), 80, Protocol::tcp), 80);
    ASSERT_EQ(connect(fd, to.get(), to.size), 0);
    plane_.reset();
    ASSERT_EQ(send(fd, "hello", 5, 0), 5) << "no process, but pins";
    char buffer[8];
    EXPECT_EQ(recv(fd, buffer, sizeof buffer, 0), 5);
    close(fd);
    open();
    EXPECT_TRUE(plane_->adopted());
    for (const char* vip : {vip4, vip6})
        EXPECT_EQ(probe(ip(vip), 80, Protocol::tcp), "") << vip;
}

TEST_F(ProbeWay, APairThatSomebodyRemovedIsMadeAgain) {
    Server server;
    there([&] { server.listen(ip(vip4), 80, Protocol::tcp); });
    server.start();
    want(ip(vip4), 80, Protocol::tcp, 80);
    run("ip link del bscp0");
    open();
    EXPECT_EQ(probe(ip(vip4), 80, Protocol::tcp), "");
}

}  // namespace
}  // namespace bascule::node
