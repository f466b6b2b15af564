// SPDX-License-Identifier: Apache-2.0
#include "balancer.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "lab.h"

namespace bascule::test {

namespace {

using backend::Bytes;

std::uint16_t get_16(const Bytes& bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

void set_16(Bytes& bytes, std::size_t at, std::uint16_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

}  // namespace

Bytes with_port(Bytes packet, std::uint16_t from, std::uint16_t to) {
    const bool v4 = packet.size() >= 20 && packet[0] >> 4 == 4;
    const std::size_t l4 = v4 ? (packet[0] & 15U) * 4U : 40;
    if (packet.size() < l4 + 8) return packet;
    const int protocol = v4 ? packet[9] : packet[6];
    if ((protocol != 6 && protocol != 17) || get_16(packet, l4 + 2) != from) return packet;
    const std::size_t checksum = l4 + (protocol == 6 ? 16 : 6);
    set_16(packet, l4 + 2, to);
    // RFC 1624.
    std::uint32_t sum = static_cast<std::uint16_t>(~get_16(packet, checksum));
    sum += static_cast<std::uint16_t>(~from);
    sum += to;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    set_16(packet, checksum, static_cast<std::uint16_t>(~sum));
    return packet;
}

Balancer::Balancer(std::uint16_t service_port, std::uint16_t server_port, Wrap wrap, Send send)
    : service_port_(service_port),
      server_port_(server_port),
      wrap_(std::move(wrap)),
      send_(std::move(send)),
      tun_(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)) {
    ifreq request{};
    std::strcpy(request.ifr_name, "tun");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (!tun_ || ::ioctl(tun_.get(), TUNSETIFF, &request) != 0)
        throw std::runtime_error("cannot make a tun device");
    must("sysctl -qw net.ipv6.conf.tun.accept_dad=0 && ip link set tun up");
    thread_ = std::thread([this] { run(); });
}

Balancer::~Balancer() {
    ends_ = true;
    thread_.join();
}

void Balancer::run() {
    std::array<std::uint8_t, 65536> buffer;
    while (!ends_) {
        pollfd polled{tun_.get(), POLLIN, 0};
        if (::poll(&polled, 1, 20) <= 0) continue;
        const ssize_t size = ::read(tun_.get(), buffer.data(), buffer.size());
        if (size < 20) continue;
        Bytes packet(buffer.begin(), buffer.begin() + size);
        send_(wrap_(with_port(std::move(packet), service_port_, server_port_)));
    }
}

}  // namespace bascule::test
