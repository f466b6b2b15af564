// SPDX-License-Identifier: Apache-2.0
// What ICMP errors quote: what is enough to follow them, what is too little, and what is none of
// the services' business.
#include <gtest/gtest.h>

#include "checksum.h"
#include "icmp_scene.h"

namespace bascule::test {

namespace {

class Quotes : public IcmpScene {};

INSTANTIATE_TEST_SUITE_P(Families, Quotes, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Quotes, MayEndBehindEightBytes) {
    const std::size_t l4 = v4() ? 20 : 40;
    const std::uint8_t to = open();
    for (const std::size_t bytes : {8U, 9U, 16U, 17U, 18U, 20U, 27U})
        expect_followed(error(packet_of(Frame()
                                            .ip(family().vip, family().client)
                                            .tcp({.source = web, .destination = client_port})
                                            .payload(400),
                                        l4 + bytes)),
                        to);
    const Bytes of_udp = answer({.tcp = false, .service_port = name});
    const std::uint8_t to_udp = open_udp();
    expect_followed(error(Bytes(of_udp.begin(), of_udp.begin() + static_cast<long>(l4 + 8))),
                    to_udp);
}

TEST_P(Quotes, ThatEndsBeforeIsDropped) {
    open();
    const Bytes whole = answer();
    const std::size_t l4 = v4() ? 20 : 40;
    for (std::size_t bytes = 0; bytes < l4 + 8; bytes++) {
        SCOPED_TRACE(std::to_string(bytes) + " bytes quoted");
        expect_dropped(error(Bytes(whole.begin(), whole.begin() + static_cast<long>(bytes))),
                       "icmp_inner");
    }
}

// What only the frame's padding holds is not quoted.
TEST_P(Quotes, InThePaddingIsDropped) {
    open();
    const Bytes whole = answer();
    const Bytes cut_quote(whole.begin(), whole.begin() + (v4() ? 24 : 44));
    expect_dropped(header(router(v4()), family().vip).icmp(too_big(cut_quote)).padding(30),
                   "icmp_inner");
}

TEST_P(Quotes, WithIpOptions) {
    const std::uint8_t to = open();
    for (const std::size_t bytes : {4U, 16U, 40U}) {
        if (v4()) expect_followed(error(answer({.option_bytes = bytes})), to);
    }
}

TEST_P(Quotes, OfAnotherSenderIsDropped) {
    const Bytes stranger = packet_of(header(family().other, family().client)
                                         .tcp({.source = web, .destination = client_port})
                                         .payload(20));
    expect_dropped(error(stranger), "icmp_inner");
    const Bytes backwards = packet_of(header(family().client, family().vip)
                                          .tcp({.source = client_port, .destination = web})
                                          .payload(20));
    expect_dropped(error(backwards), "icmp_inner");
}

TEST_P(Quotes, OfTheOtherFamilyIsDropped) {
    const Family& other = v4() ? ipv6_family() : ipv4_family();
    const Bytes quoted = packet_of(Frame()
                                       .ip(other.vip, other.client)
                                       .tcp({.source = web, .destination = client_port})
                                       .payload(20));
    expect_dropped(error(quoted), "icmp_inner");
}

TEST_P(Quotes, OfALaterFragmentIsDropped) {
    Bytes quoted = answer();
    if (v4()) {
        put16(quoted, 6, 185);
        expect_dropped(error(quoted), "icmp_inner");
        return;
    }
    quoted = packet_of(header(family().vip, family().client)
                           .piece(1480, false)
                           .tcp({.source = web, .destination = client_port})
                           .payload(20));
    expect_dropped(error(quoted), "icmp_inner");
}

TEST_P(Quotes, OfAFirstFragmentIsFollowed) {
    const std::uint8_t to = open();
    Bytes quoted = answer();
    if (v4())
        put16(quoted, 6, 0x2000);
    else
        quoted = packet_of(header(family().vip, family().client)
                               .piece(0, true)
                               .tcp({.source = web, .destination = client_port})
                               .payload(20));
    expect_followed(error(quoted), to);
}

TEST_P(Quotes, VersionMustFit) {
    Bytes quoted = answer();
    quoted[0] = static_cast<std::uint8_t>(0x50 | (quoted[0] & 0xf));
    expect_dropped(error(quoted), "icmp_inner");
}

TEST_P(Quotes, HeaderTooShortIsDropped) {
    if (!v4()) return;
    Bytes quoted = answer();
    quoted[0] = 0x44;
    expect_dropped(error(quoted), "icmp_inner");
}

TEST_P(Quotes, AboutOtherProtocolsGoToLinux) {
    const Bytes quoted = packet_of(header(family().vip, family().client).protocol(132, 40));
    expect_passed(error(quoted), "vip_no_service");
}

// About what this host itself has sent from the VIP.
TEST_P(Quotes, AboutNoServiceGoToLinux) {
    expect_passed(error(answer({.service_port = 9})), "vip_no_service");
    expect_passed(error(answer({.tcp = false, .service_port = 9})), "vip_no_service");
}

TEST_P(Quotes, AboutNoServiceAreDroppedWhereTheVipIsNotHeld) {
    model::Desired desired = usual_tables();
    for (model::DesiredVip& vip : desired.vips)
        vip.held = false;
    want(desired);
    expect_dropped(error(answer({.service_port = 9})), "not_held");
}

}  // namespace

}  // namespace bascule::test
