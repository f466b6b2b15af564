// SPDX-License-Identifier: Apache-2.0
#include "crowd.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace bascule::test {

namespace {

template <typename T>
T or_throw(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().text());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

Bytes crowd_packet(const Family& family, std::uint8_t flags, std::uint32_t sequence) {
    const Bytes headers = tcp_packet(family, flags, sequence);
    return tcp_packet(family, flags, sequence, client_port, bench::template_bytes - headers.size());
}

// The inverse of what bench/wrapper.bpf.c does, which writes numbers as the host has them.
std::uint32_t flow_number(const dataplane::SessionKey& key) {
    std::uint32_t source = 0;
    std::memcpy(&source, key.source.bytes().data() + 12, sizeof(source));
    const std::uint32_t port = __builtin_bswap16(key.source_port);
    return ((source - 0x0a000001) / 0x100 << 14) + (port - 0x400);
}

Crowd::Crowd(Engine& engine) : driver_(or_throw(bench::Driver::open())) {
    or_throw(driver_.put_under_test(engine.dataplane().program_fd()));
}

void Crowd::aim(const Bytes& frame, std::uint32_t first) {
    or_throw(driver_.aim(frame, 0, first));
}

void Crowd::run(std::uint32_t count) const {
    or_throw(driver_.run(count));
}

void Crowd::send(const Bytes& frame, std::uint32_t count, std::uint32_t first) {
    aim(frame, first);
    run(count);
}

// In portions, so that few are embryonic at a time: one that is displaced as such comes back with
// its ACK as an adopted session, displaces another embryonic one, and so on.
void Crowd::establish(const Family& family, std::uint32_t count, std::uint32_t first) {
    constexpr std::uint32_t portion = 1000;
    for (std::uint32_t done = 0; done < count; done += portion) {
        const std::uint32_t now = std::min(portion, count - done);
        send(crowd_packet(family, syn, 1000), now, first + done);
        send(crowd_packet(family, ack, 1001), now, first + done);
    }
}

}  // namespace bascule::test
