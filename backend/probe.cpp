// SPDX-License-Identifier: Apache-2.0
#include "backend/probe.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "dataplane/libbpf_log.h"

namespace bascule::backend {
namespace {

using dataplane::bpf_error;
using Clock = std::chrono::steady_clock;

// A locally administered address that no host has: answers to it reach nobody.
constexpr Mac asker{{0x02, 0x62, 0x61, 0x73, 0x63, 0x75}};
constexpr std::size_t most_frames_seen = 100'000;

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const Address& address, std::uint16_t port) {
    SocketAddress made;
    if (address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port);
        v4.sin_addr.s_addr = address.v4_wire();
        std::memcpy(&made.storage, &v4, sizeof v4);
        made.size = sizeof v4;
    } else {
        sockaddr_in6 v6{};
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(port);
        std::memcpy(&v6.sin6_addr, address.bytes().data(), sizeof v6.sin6_addr);
        std::memcpy(&made.storage, &v6, sizeof v6);
        made.size = sizeof v6;
    }
    return made;
}

Descriptor open_socket(const Address& address, int type) {
    return Descriptor(
        ::socket(address.is_v4() ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// False: the time is up.
bool wait_for(int fd, short events, Clock::time_point end) {
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        pollfd polled{fd, events, 0};
        const int ready = ::poll(&polled, 1, left > 0 ? static_cast<int>(left) : 0);
        if (ready > 0) return true;
        if (ready == 0 || errno != EINTR) return false;
    }
}

Result<Descriptor> program_by_id(std::uint32_t id) {
    Descriptor program(bpf_prog_get_fd_by_id(id));
    if (!program) return failure(bpf_error("open a program", errno));
    return program;
}

// Sees all that the interface sends and receives.
Result<Descriptor> watch(std::uint32_t ifindex) {
    Descriptor socket(
        ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(ifindex);
    if (!socket ||
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return failure(Error::system("watch an interface", errno));
    return socket;
}

bool sees_answer(int watcher, const Address& target, std::chrono::milliseconds limit) {
    const auto end = Clock::now() + limit;
    std::array<std::uint8_t, 2048> buffer;
    for (std::size_t i = 0; i < most_frames_seen && wait_for(watcher, POLLIN, end); ++i) {
        sockaddr_ll from{};
        socklen_t from_size = sizeof from;
        const ssize_t size = ::recvfrom(watcher, buffer.data(), buffer.size(), 0,
                                        reinterpret_cast<sockaddr*>(&from), &from_size);
        if (size > 0 && from.sll_pkttype == PACKET_OUTGOING &&
            is_answer_for(std::span(buffer.data(), static_cast<std::size_t>(size)), target))
            return true;
    }
    return false;
}

}  // namespace

Result<Injector> Injector::open(std::uint32_t program_id) {
    if (program_id != 0) {
        auto program = program_by_id(program_id);
        if (!program) return failure(std::move(program.error()));
        return Injector(std::move(*program));
    }
    bpf_insn pass[2] = {};
    pass[0].code = BPF_ALU64 | BPF_MOV | BPF_K;
    pass[0].imm = XDP_PASS;
    pass[1].code = BPF_JMP | BPF_EXIT;
    Descriptor program(bpf_prog_load(BPF_PROG_TYPE_XDP, "bascule_probe", "GPL", pass, 2, nullptr));
    if (!program) return failure(bpf_error("load a program", errno));
    return Injector(std::move(program));
}

Result<void> Injector::inject(std::uint32_t ifindex, const Bytes& frame) {
    xdp_md context{};
    context.data_end = static_cast<std::uint32_t>(frame.size());
    context.ingress_ifindex = ifindex;
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.ctx_in = &context;
    options.ctx_size_in = sizeof context;
    options.repeat = 1;
    options.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    if (const int error = bpf_prog_test_run_opts(program_.get(), &options); error != 0)
        return failure(bpf_error("let a frame arrive", -error));
    return {};
}

Result<bool> is_answered(Injector& injector, const Link& link, const Address& target,
                         std::chrono::milliseconds limit) {
    auto watcher = watch(link.ifindex);
    if (!watcher) return failure(std::move(watcher.error()));
    for (const Bytes& question :
         {question_frame(asker, target), question_frame_to(link.mac, asker, target)})
        if (auto injected = injector.inject(link.ifindex, question); !injected)
            return failure(std::move(injected.error()));
    return sees_answer(watcher->get(), target, limit);
}

Result<bool> arrives(
    Injector& injector, std::uint32_t ifindex, const Address& vip,
    const std::function<Bytes(std::uint16_t port, const Bytes& payload)>& make_frame,
    std::chrono::milliseconds limit) {
    const Descriptor socket = open_socket(vip, SOCK_DGRAM);
    SocketAddress bound = socket_address(vip, 0);
    if (!socket || ::bind(socket.get(), bound.get(), bound.size) != 0)
        return failure(Error::system("open a socket on " + vip.to_string(), errno));
    bound.size = sizeof bound.storage;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
    // The port is at the same place in both families.
    sockaddr_in common{};
    std::memcpy(&common, &bound.storage, sizeof common);
    Bytes payload(16);
    if (::getrandom(payload.data(), payload.size(), 0) != static_cast<ssize_t>(payload.size()))
        return failure(Error::system("getrandom", errno));
    const Bytes made = make_frame(ntohs(common.sin_port), payload);
    if (auto injected = injector.inject(ifindex, made); !injected)
        return failure(std::move(injected.error()));
    const auto end = Clock::now() + limit;
    std::array<std::uint8_t, 64> buffer;
    for (std::size_t i = 0; i < most_frames_seen && wait_for(socket.get(), POLLIN, end); ++i) {
        const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (size == static_cast<ssize_t>(payload.size()) &&
            std::memcmp(buffer.data(), payload.data(), payload.size()) == 0)
            return true;
    }
    return false;
}

Result<bool> is_served(const Address& address, Protocol protocol, std::uint16_t port,
                       std::chrono::milliseconds limit) {
    const bool udp = protocol == Protocol::udp;
    const Descriptor socket = open_socket(address, udp ? SOCK_DGRAM : SOCK_STREAM);
    if (!socket) return failure(Error::system("open a socket", errno));
    const SocketAddress there = socket_address(address, port);
    if (udp) {
        // A port that can be had is nobody's.
        if (::bind(socket.get(), there.get(), there.size) == 0) return false;
        if (errno == EADDRINUSE) return true;
        return failure(Error::system("ask for UDP port " + std::to_string(port), errno));
    }
    if (::connect(socket.get(), there.get(), there.size) == 0) return true;
    if (errno != EINPROGRESS) return false;
    if (!wait_for(socket.get(), POLLOUT, Clock::now() + limit)) return false;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return error == 0;
}

Result<Bytes> run_egress(std::uint32_t program_id, const Bytes& frame) {
    auto program = program_by_id(program_id);
    if (!program) return failure(std::move(program.error()));
    Bytes result(frame.size());
    bpf_test_run_opts options{};
    options.sz = sizeof options;
    options.data_in = frame.data();
    options.data_size_in = static_cast<std::uint32_t>(frame.size());
    options.data_out = result.data();
    options.data_size_out = static_cast<std::uint32_t>(result.size());
    options.repeat = 1;
    if (const int error = bpf_prog_test_run_opts(program->get(), &options); error != 0)
        return failure(bpf_error("run the egress program", -error));
    result.resize(options.data_size_out);
    return result;
}

}  // namespace bascule::backend
