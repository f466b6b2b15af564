// SPDX-License-Identifier: Apache-2.0
// ICMP errors about probes: one about the probe goes up to its socket, as if the made-up address
// had been the destination all along; one about the tunnel's packet is noted, and Linux's.
#include <gtest/gtest.h>

#include "probe_scene.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;
using Parameter = std::tuple<Family, Protocol>;

struct Error {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t rest = 0;
};

class ProbeErrors : public ProbeScene, public ::testing::WithParamInterface<Parameter> {
protected:
    void SetUp() override {
        ProbeScene::SetUp();
        if (!HasFatalFailure()) start(l2_way());
    }
    void start(const Way& way) {
        Served served;
        served.family = std::get<0>(GetParam());
        served.protocol = std::get<1>(GetParam());
        served.way = way;
        serve_one(served);
        out_ = send(probed());
        engine().counted();
    }
    bool tcp() const { return std::get<1>(GetParam()) == Protocol::tcp; }
    static Address router(bool v4) { return address(v4 ? "203.0.113.9" : "2001:db8:1::9"); }
    Address router() const { return router(v4()); }
    Error unreachable() const { return v4() ? Error{3, 3} : Error{1, 4}; }
    std::uint32_t detail(const Error& error) const { return error.type * 256U + error.code; }

    // What the backend was sent, on its own.
    Bytes seen_by_backend() const { return packet_of(out_); }
    Bytes sent() const { return packet_of(sent_by_stack(probed())); }
    Bytes error(const Error& error, const Bytes& quoted, const Address& from, const Address& to,
                Frame frame = Frame()) const {
        return frame.ip(from, to).icmp(
            {.type = error.type, .code = error.code, .rest = error.rest, .quoted = quoted});
    }
    Bytes error(const Error& error, const Bytes& quoted) const {
        return this->error(error, quoted, router(), node());
    }
    // As the socket has to see it.
    Bytes up(const Error& error, const Bytes& quoted) const {
        return this->error(error, quoted, target(), node(), Frame(stack_mac, stack_mac));
    }
    void expect_up(const Bytes& in, const Bytes& out, const Error& error, const Address& from) {
        expect_frame(in, Verdict::redirect, out);
        expect_counts({});
        expect_note(BSC_PROBE_ICMP, detail(error));
        EXPECT_EQ(note().from.to_string(), from.to_string());
    }
    void expect_up(const Error& of, std::size_t quoted) {
        const Bytes in = cut_to(seen_by_backend(), quoted);
        Bytes restored = cut_to(sent(), quoted);
        // Half a checksum cannot be mended, and stays.
        if (tcp() && restored.size() == least_quoted() + 9) restored.back() = in.back();
        expect_up(error(of, in), up(of, restored), of, router());
    }
    static Bytes cut_to(const Bytes& bytes, std::size_t most) {
        return {bytes.begin(), bytes.begin() + static_cast<long>(std::min(most, bytes.size()))};
    }
    std::size_t least_quoted() const { return (v4() ? 20 : 40) + 8; }

private:
    Bytes out_;
};

INSTANTIATE_TEST_SUITE_P(All, ProbeErrors,
                         ::testing::Combine(::testing::Values(ipv4_family(), ipv6_family()),
                                            ::testing::Values(Protocol::tcp, Protocol::udp)),
                         [](const auto& test) {
                             return std::get<0>(test.param).name +
                                    (std::get<1>(test.param) == Protocol::tcp ? "_tcp" : "_udp");
                         });

TEST_P(ProbeErrors, OfEachKindGoUp) {
    for (const std::uint8_t type :
         v4() ? std::vector<std::uint8_t>{3, 11, 12} : std::vector<std::uint8_t>{1, 2, 3, 4})
        for (std::uint8_t code = 0; code <= 15; code++)
            expect_up(Error{type, code, 1400}, SIZE_MAX);
}

// From the eight bytes of RFC 792 to all there is.
TEST_P(ProbeErrors, QuotationsOfEveryLength) {
    for (std::size_t bytes = least_quoted(); bytes <= sent().size(); bytes++) {
        SCOPED_TRACE(bytes);
        expect_up(unreachable(), bytes);
    }
}

// A server's own firewall rejects in the VIP's name: that source would be this host's own.
TEST_P(ProbeErrors, FromTheVipItself) {
    const Error of = unreachable();
    expect_up(error(of, seen_by_backend(), family().vip, node()), up(of, sent()), of, family().vip);
}

TEST_P(ProbeErrors, TagsAreTakenOff) {
    const Error of = unreachable();
    expect_up(error(of, seen_by_backend(), router(), node(), Frame().vlan(100)), up(of, sent()), of,
              router());
}

TEST_P(ProbeErrors, WithOptionsOfTheirOwn) {
    const Error of = unreachable();
    const auto with = [&](Frame frame, const Address& from, const Bytes& quoted) {
        if (v4())
            frame.ipv4({.source = from, .destination = node(), .option_bytes = 8});
        else
            frame.ip(from, node()).extension(destination_options, 16);
        return frame.icmp({.type = of.type, .code = of.code, .quoted = quoted}).bytes();
    };
    expect_up(with(Frame(), router(), seen_by_backend()),
              with(Frame(stack_mac, stack_mac), target(), sent()), of, router());
}

// The socket knows the service's port, whatever is written for the backend.
TEST_P(ProbeErrors, RewrittenPortsAreRestored) {
    Way way = l2_way();
    way.port = rewritten_port;
    start(way);
    for (std::size_t bytes = least_quoted(); bytes <= sent().size(); bytes++)
        expect_up(unreachable(), bytes);
}

TEST_P(ProbeErrors, QuotedUdpWithoutChecksum) {
    if (tcp()) return;
    Probed without = probed();
    without.udp_checksum = false;
    const Bytes out = packet_of(send(without));
    const Error of = unreachable();
    expect_up(error(of, out), up(of, packet_of(sent_by_stack(without))), of, router());
}

// What was wrong stays wrong: the receiver still notices.
TEST_P(ProbeErrors, WrongChecksumsStayWrong) {
    Bytes in = error(unreachable(), seen_by_backend());
    Bytes expected = up(unreachable(), sent());
    in.back() ^= 1;
    expected.back() ^= 1;
    expect_up(in, expected, unreachable(), router());
}

// ---- about the tunnel's packet ----

TEST_P(ProbeErrors, AboutTheTunnelAreNotedAndLinuxs) {
    for (const NamedWay& named : every_tunnel())
        for (const std::uint16_t port : {std::uint16_t{0}, rewritten_port}) {
            SCOPED_TRACE(named.name);
            Way way = named.way;
            way.port = port;
            start(way);
            const bool outer_v4 = way.remote.is_v4();
            const Error of = outer_v4 ? Error{3, 2} : Error{4, 1};
            const Bytes in = error(of, seen_by_backend(), way.remote, way.tunnel_source);
            expect_untouched(in, Verdict::pass);
            expect_counts({});
            expect_note(BSC_PROBE_ICMP_OUTER, detail(of));
            EXPECT_EQ(note().from.to_string(), way.remote.to_string());
            expect_traced(in, Verdict::pass);
            // Behind the tunnel's end it is the probe that is quoted.
            const Bytes outer = seen_by_backend();
            const Bytes inner(outer.begin() + static_cast<long>(overhead_of(way)), outer.end());
            const Error about = unreachable();
            expect_up(error(about, inner), up(about, sent()), about, router());
        }
}

TEST_P(ProbeErrors, AboutATunnelCutAnywhere) {
    for (const NamedWay& named : every_tunnel()) {
        SCOPED_TRACE(named.name);
        start(named.way);
        const Error of = named.way.remote.is_v4() ? Error{3, 2} : Error{4, 1};
        const Bytes whole = seen_by_backend();
        const std::size_t least = overhead_of(named.way) + least_quoted();
        for (std::size_t bytes = 0; bytes < least; bytes++)
            expect_strange(
                error(of, cut_to(whole, bytes), named.way.remote, named.way.tunnel_source));
        expect_untouched(error(of, cut_to(whole, least), named.way.remote, named.way.tunnel_source),
                         Verdict::pass);
        expect_note(BSC_PROBE_ICMP_OUTER, detail(of));
    }
}

TEST_P(ProbeErrors, AboutATunnelToSomebodyElseAreLinuxs) {
    for (const NamedWay& named : every_tunnel()) {
        SCOPED_TRACE(named.name);
        start(named.way);
        const bool outer_v4 = named.way.remote.is_v4();
        const Error of = outer_v4 ? Error{3, 2} : Error{4, 1};
        Bytes other = seen_by_backend();
        other[outer_v4 ? 19 : 39] ^= 1;  // the outer destination's last byte
        expect_strange(error(of, other, named.way.remote, named.way.tunnel_source));
    }
}

// ---- what only looks like one ----

TEST_P(ProbeErrors, AboutOtherFlowsAreLinuxs) {
    const Error of = unreachable();
    const auto quoting = [&](const Address& from, const Address& to, const Probed& other) {
        return error(of, packet_of(packet(Frame(), from, to, other)));
    };
    Probed other = probed();
    other.source = probe_port + 1;
    expect_strange(quoting(node(), family().vip, other));
    other = probed();
    other.destination = web + 1;
    expect_strange(quoting(node(), family().vip, other));
    other = probed();
    other.protocol = tcp() ? Protocol::udp : Protocol::tcp;
    expect_strange(quoting(node(), family().vip, other));
    expect_strange(quoting(node(), family().client, probed()));
    expect_strange(quoting(family().client, family().vip, probed()));
    expect_strange(error(of, seen_by_backend(), router(), family().client));
}

TEST_P(ProbeErrors, WhatIsNoErrorIsLinuxs) {
    for (int type = 0; type < 256; type++) {
        const bool is_error = v4() ? type == 3 || type == 11 || type == 12 : type >= 1 && type <= 4;
        if (!is_error)
            expect_strange(error({static_cast<std::uint8_t>(type), 0}, seen_by_backend()));
    }
}

TEST_P(ProbeErrors, ForAnotherStationAreLinuxs) {
    expect_strange(error(unreachable(), seen_by_backend(), router(), node(), Frame(stack_mac)));
}

TEST_P(ProbeErrors, WithoutAPairAreLinuxsAndNoted) {
    prober().set_pair(false);
    expect_untouched(error(unreachable(), seen_by_backend()), Verdict::pass);
    expect_counts({});
    expect_note(BSC_PROBE_ICMP, detail(unreachable()));
}

TEST_P(ProbeErrors, FragmentsAreLinuxs) {
    const Error of = unreachable();
    for (const bool first : {true, false}) {
        Frame frame =
            v4() ? Frame().ipv4({.source = router(),
                                 .destination = node(),
                                 .fragment_word = static_cast<std::uint16_t>(first ? 0x2000 : 100)})
                 : Frame().ip(router(), node()).piece(first ? 0 : 800, true);
        expect_strange(frame.icmp({.type = of.type, .code = of.code, .quoted = seen_by_backend()}));
    }
}

TEST_P(ProbeErrors, QuotedFragmentsAreLinuxs) {
    if (!v4()) return;
    Bytes quoted = seen_by_backend();
    quoted[7] = 1;  // offset
    expect_strange(error(unreachable(), quoted));
}

TEST_P(ProbeErrors, CutAnywhereAreLinuxs) {
    const Bytes whole = error(unreachable(), cut_to(seen_by_backend(), least_quoted()));
    for (std::size_t size = 14; size < whole.size(); size++) {
        SCOPED_TRACE(size);
        expect_strange(cut(whole, size));
        expect_strange(cut_honestly(whole, size));
    }
    // What stands behind the packet's end is not of it.
    Frame padded = Frame().ip(router(), node());
    padded.icmp({.type = unreachable().type,
                 .code = unreachable().code,
                 .quoted = cut_to(seen_by_backend(), least_quoted() - 1)});
    expect_strange(padded.padding(60));
}

TEST_P(ProbeErrors, AreTracedWithoutATrace) {
    expect_traced(error(unreachable(), seen_by_backend()), Verdict::redirect);
}

}  // namespace

}  // namespace bascule::test
