// SPDX-License-Identifier: Apache-2.0
#include "sync/source_filter.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace bascule::sync {
namespace {

constexpr std::uint32_t all_of_it = 0xffffffff;  // bytes that are let pass
constexpr std::uint32_t source_v4 = 12;          // where it stands in an IP header
constexpr std::uint32_t source_v6 = 8;
constexpr std::uint32_t source_port = 0;  // in a UDP header, where a UDP socket's filter starts

sock_filter statement(std::uint16_t code, std::uint32_t value) {
    return {code, 0, 0, value};
}

sock_filter load_address(std::uint32_t at) {
    return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_NET_OFF) + at);
}

// Goes on with the next statement when the loaded value is this one, else `over` further ones.
sock_filter unless_equal(std::uint32_t value, std::size_t over) {
    return {BPF_JMP | BPF_JEQ | BPF_K, 0, static_cast<std::uint8_t>(over), value};
}

std::uint32_t word(const Address::Bytes& bytes, std::size_t at) {
    return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
           std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

// Lets pass what is of this source; else goes on behind.
void add(std::vector<sock_filter>& program, const model::Endpoint& source) {
    const bool v4 = source.address.is_v4();
    const std::size_t words = v4 ? 1 : 4;
    // Of an IPv4 address the bytes are the last ones of the mapped form.
    const std::size_t first = v4 ? 12 : 0;
    std::size_t left = 2 * words + 3;
    for (std::size_t i = 0; i < words; ++i) {
        const auto at = static_cast<std::uint32_t>(4 * i);
        left -= 2;
        program.push_back(load_address((v4 ? source_v4 : source_v6) + at));
        program.push_back(unless_equal(word(source.address.bytes(), first + 4 * i), left));
    }
    program.push_back(statement(BPF_LD | BPF_H | BPF_ABS, source_port));
    program.push_back(unless_equal(source.port, 1));
    program.push_back(statement(BPF_RET | BPF_K, all_of_it));
}

}  // namespace

Result<void> accept_only(int socket, const std::vector<model::Endpoint>& sources) {
    std::vector<sock_filter> statements;
    for (const model::Endpoint& source : sources)
        add(statements, source);
    statements.push_back(statement(BPF_RET | BPF_K, 0));
    const sock_fprog program{static_cast<unsigned short>(statements.size()), statements.data()};
    if (::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        return failure(Error::system("filter of sources", errno));
    return {};
}

}  // namespace bascule::sync
