// SPDX-License-Identifier: Apache-2.0
// ICMP errors, and what they quote: the base of tests about them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "delivery.h"

namespace bascule::test {

// A router on the way, which sends the errors.
inline const Address& router(bool v4) {
    static const Address router4 = address("203.0.113.9"), router6 = address("2001:db8:1::9");
    return v4 ? router4 : router6;
}

// What the VIP sent to the client: the packet that an error quotes.
struct Answered {
    bool tcp = true;
    std::uint16_t service_port = web;
    std::uint16_t client = client_port;
    std::size_t payload = 40;
    std::size_t option_bytes = 0;
    std::uint16_t udp_checksum = 0xbeef;
};

class IcmpScene : public Delivery, public ::testing::WithParamInterface<Family> {
protected:
    const Family& family() const { return GetParam(); }
    bool v4() const { return family().vip.is_v4(); }

    Frame header(const Address& source, const Address& destination) const {
        return Frame().ip(source, destination);
    }
    Bytes answer(const Answered& answered = {}) const {
        Frame frame = v4() ? Frame().ipv4({.source = family().vip,
                                           .destination = family().client,
                                           .option_bytes = answered.option_bytes})
                           : header(family().vip, family().client);
        if (!v4() && answered.option_bytes != 0) frame.extension(destination_options, 16);
        if (answered.tcp)
            frame.tcp(
                {.source = answered.service_port, .destination = answered.client, .flags = ack});
        else
            frame.udp({.source = answered.service_port,
                       .destination = answered.client,
                       .checksum = answered.udp_checksum});
        frame.payload(answered.payload);
        if (answered.udp_checksum != 0) frame.checked();
        return packet_of(frame);
    }
    // Of the kind that path MTU discovery lives by.
    Icmp too_big(Bytes quoted, std::uint16_t mtu = 1400) const {
        return v4() ? Icmp{.type = 3, .code = 4, .rest = mtu, .quoted = std::move(quoted)}
                    : Icmp{.type = 2, .code = 0, .rest = mtu, .quoted = std::move(quoted)};
    }
    Bytes error(const Icmp& icmp) const { return header(router(v4()), family().vip).icmp(icmp); }
    Bytes error(Bytes quoted) const { return error(too_big(std::move(quoted))); }

    void expect_followed(const Bytes& frame, std::uint8_t to) {
        EXPECT_EQ(deliver(frame), to);
        expect_counts({"icmp_followed"});
    }
    void expect_dropped(const Bytes& frame, const std::string& reason) {
        expect_untouched(frame, Verdict::drop);
        expect_counts({reason});
    }
    void expect_passed(const Bytes& frame, const std::string& event) {
        expect_untouched(frame, Verdict::pass);
        expect_counts({event});
    }
    // Opens a TCP session; its backend.
    std::uint8_t open(std::uint16_t port = client_port) {
        const std::uint8_t to = deliver(tcp_packet(family(), syn, 1000, port));
        engine().counted();
        return to;
    }
    std::uint8_t open_udp() {
        const std::uint8_t to = deliver(udp_packet(family()));
        engine().counted();
        return to;
    }
};

}  // namespace bascule::test
