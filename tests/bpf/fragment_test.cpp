// SPDX-License-Identifier: Apache-2.0
// Fragments: the first one decides, the later ones follow it by addresses, protocol and id; what
// cannot be followed is dropped, never given to a wrong backend.
#include <gtest/gtest.h>

#include "delivery.h"
#include "world.h"

namespace bascule::test {

namespace {

using model::Forward;
using model::Protocol;

constexpr std::uint32_t usual_id = 0x4711;

// One piece of a datagram to the service `name` (UDP); `offset` in bytes. A first piece has the
// UDP header, which tells the length of the whole.
struct Piece {
    std::size_t offset = 0;
    bool more = true;
    std::uint32_t id = usual_id;
    std::uint16_t source_port = client_port;
    std::size_t payload = 64;
};

class Fragments : public Delivery, public ::testing::WithParamInterface<Family> {
protected:
    const Family& family() const { return GetParam(); }
    bool v4() const { return family().vip.is_v4(); }

    Frame ip(std::size_t offset, bool more, std::uint32_t id, const Address& source,
             std::uint8_t protocol) const {
        if (v4())
            return Frame().ipv4(
                {.source = source,
                 .destination = family().vip,
                 .fragment_word = static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0)),
                 .protocol = protocol,
                 .id = static_cast<std::uint16_t>(id)});
        Frame frame = Frame().ipv6({.source = source, .destination = family().vip});
        frame.piece(offset, more, id);
        return frame.protocol(protocol, 0);
    }
    Bytes piece(const Piece& piece) const {
        Frame frame = ip(piece.offset, piece.more, piece.id, family().client, 17);
        if (piece.offset == 0)
            frame.udp({.source = piece.source_port, .destination = name, .length = 1480});
        return frame.payload(piece.payload);
    }
    Bytes tcp_piece(const Tcp& tcp, std::size_t payload, bool more = true) const {
        return ip(0, more, usual_id, family().client, 6).tcp(tcp).payload(payload);
    }
    void expect_dropped(const Bytes& frame, const std::string& reason) {
        expect_untouched(frame, Verdict::drop);
        expect_counts({reason});
    }
};

INSTANTIATE_TEST_SUITE_P(Families, Fragments, ::testing::Values(ipv4_family(), ipv6_family()),
                         [](const auto& test) { return test.param.name; });

TEST_P(Fragments, LaterOnesGoWhereTheFirstWent) {
    for (std::uint16_t i = 0; i < 40; i++) {
        const auto port = static_cast<std::uint16_t>(client_port + i);
        const std::uint8_t to = deliver(piece({.id = usual_id + i, .source_port = port}));
        ASSERT_NE(to, 0);
        EXPECT_EQ(deliver(piece({.offset = 64, .id = usual_id + i})), to);
        EXPECT_EQ(deliver(piece({.offset = 128, .more = false, .id = usual_id + i})), to);
    }
    const Counts counts = engine().counted();
    EXPECT_EQ(counts.at("fragment_followed"), 80U);
    EXPECT_EQ(counts.at("session_inserted"), 40U);
    EXPECT_EQ(counts.size(), 2U);
}

TEST_P(Fragments, OrderAmongLaterOnesIsFree) {
    const std::uint8_t to = deliver(piece({}));
    EXPECT_EQ(deliver(piece({.offset = 640, .more = false})), to);
    EXPECT_EQ(deliver(piece({.offset = 64})), to);
    EXPECT_EQ(deliver(piece({.offset = 64})), to);
}

TEST_P(Fragments, LaterOneWithoutFirstIsDropped) {
    expect_dropped(piece({.offset = 64}), "fragment");
    expect_dropped(piece({.offset = 64, .more = false}), "fragment");
    expect_dropped(piece({.offset = 65528, .more = false, .payload = 8}), "fragment");
}

TEST_P(Fragments, LastBeforeFirstIsDropped) {
    expect_dropped(piece({.offset = 64, .more = false}), "fragment");
    const std::uint8_t to = deliver(piece({}));
    EXPECT_EQ(deliver(piece({.offset = 64, .more = false})), to);
}

TEST_P(Fragments, OtherIdIsAnotherPacket) {
    deliver(piece({}));
    engine().counted();
    expect_dropped(piece({.offset = 64, .id = usual_id + 1}), "fragment");
    if (!v4()) expect_dropped(piece({.offset = 64, .id = usual_id | 0x10000}), "fragment");
}

TEST_P(Fragments, OtherSourceIsAnotherPacket) {
    deliver(piece({}));
    engine().counted();
    expect_dropped(ip(64, false, usual_id, family().other, 17).payload(64), "fragment");
}

TEST_P(Fragments, OtherProtocolIsAnotherPacket) {
    deliver(piece({}));
    engine().counted();
    expect_dropped(ip(64, false, usual_id, family().client, 6).payload(64), "fragment");
}

// The id comes again: the newer first piece counts.
TEST_P(Fragments, SameIdAgainFollowsTheNewerFirst) {
    const std::uint8_t before = deliver(piece({}));
    std::uint8_t to = before;
    for (std::uint16_t port = 41000; to == before && port < 41100; port++)
        to = deliver(piece({.source_port = port}));
    ASSERT_NE(to, before);
    EXPECT_EQ(deliver(piece({.offset = 64})), to);
}

TEST_P(Fragments, AreForgottenAfterAWhile) {
    const std::uint8_t to = deliver(piece({}));
    engine().age_fragments(BSC_FRAGMENT_SECONDS - 5);
    EXPECT_EQ(deliver(piece({.offset = 64})), to);
    engine().counted();
    engine().age_fragments(7);
    expect_dropped(piece({.offset = 64}), "fragment");
}

TEST_P(Fragments, BackendThatIsGoneGetsNone) {
    const std::uint8_t to = deliver(piece({}));
    engine().counted();
    model::Desired without = usual_tables();
    for (model::DesiredService& service : without.services)
        service.backends.erase(service.backends.begin() + (to - 1));
    want(without);
    expect_dropped(piece({.offset = 64}), "fragment");
}

// The slot's next owner has another generation: nothing of the former one's reaches it.
TEST_P(Fragments, BackendThatCameBackGetsNoneOfBefore) {
    Served served;
    served.family = family();
    served.protocol = Protocol::udp;
    served.ports = {name, name};
    serve({served});
    deliver(piece({}));
    serve({});
    serve({served});
    engine().counted();
    const Outcome outcome = engine().run(piece({.offset = 64}));
    EXPECT_EQ(outcome.verdict, Verdict::drop);
    expect_counts({"fragment"});
}

TEST_P(Fragments, ServiceByItsPortIsSoughtForTheFirst) {
    const Bytes frame = ip(0, true, usual_id, family().client, 17)
                            .udp({.destination = 9, .length = 200})
                            .payload(64);
    expect_untouched(frame, Verdict::pass);
    expect_counts({"vip_no_service"});
    expect_dropped(piece({.offset = 64}), "fragment");
}

// RFC 1858: what does not hold the whole header in its first piece means no good.
TEST_P(Fragments, TinyFirstOnesAreDropped) {
    for (const std::size_t bytes : {0U, 1U, 7U})
        expect_dropped(ip(0, true, usual_id, family().client, 17).payload(bytes),
                       "fragment_header");
    for (const std::size_t bytes : {8U, 13U, 19U})
        expect_dropped(ip(0, true, usual_id, family().client, 6).payload(bytes), "fragment_header");
    expect_dropped(tcp_piece({.destination = web, .flags = syn, .header_words = 8}, 8),
                   "fragment_header");
    EXPECT_TRUE(engine().sessions().empty());
}

TEST_P(Fragments, FirstOfTcpOpensASession) {
    const std::uint8_t to = deliver(tcp_piece({.flags = syn, .option_bytes = 12}, 0));
    expect_counts({"session_inserted"});
    EXPECT_EQ(deliver(ip(32, false, usual_id, family().client, 6).payload(32)), to);
    expect_counts({"fragment_followed"});
}

// UDP's length is of the whole, which no piece holds.
TEST_P(Fragments, LengthOfUdpIsOfTheWhole) {
    for (const int length : {8, 72, 1480, 65535})
        EXPECT_NE(
            deliver(ip(0, true, usual_id, family().client, 17)
                        .udp({.destination = name, .length = static_cast<std::uint16_t>(length)})
                        .payload(64)),
            0);
}

// A piece that says it is the first and the last is a whole packet (RFC 6946 for IPv6).
TEST_P(Fragments, AtomicOneIsAPacket) {
    if (v4()) return;  // there it is no fragment at all
    EXPECT_NE(
        deliver(ip(0, false, usual_id, family().client, 17).udp({.destination = name}).payload(16)),
        0);
    expect_counts({"session_inserted"});
    expect_dropped(piece({.offset = 64}), "fragment");
    expect_dropped(ip(0, false, usual_id, family().client, 17)
                       .udp({.destination = name, .length = 100})
                       .payload(16),
                   "udp_length");
}

TEST_P(Fragments, LaterOneOfAnotherMacIsNotOurs) {
    deliver(piece({}));
    engine().counted();
    Bytes frame = piece({.offset = 64});
    frame[5] = 0x55;
    expect_untouched(frame, Verdict::pass);
    expect_counts({"other_host"});
}

// Each mode takes all pieces the same way; the port is written into the first alone.
TEST_P(Fragments, GoByEveryWay) {
    for (const NamedWay& named : every_way()) {
        SCOPED_TRACE(named.name);
        Served served;
        served.family = family();
        served.protocol = Protocol::udp;
        served.ports = {name, name};
        served.way = named.way;
        serve({served});
        engine().forget_answers_and_fragments();
        expect_delivered(piece({}), named.way);
        expect_delivered(piece({.offset = 64}), named.way);
        expect_delivered(piece({.offset = 128, .more = false, .payload = 5}), named.way);
    }
}

// All pieces of a packet and the packets of its flow look like one flow from outside.
TEST_P(Fragments, LaterOnesHaveTheEntropyOfTheFirst) {
    for (NamedWay named : every_tunnel()) {
        SCOPED_TRACE(named.name);
        named.way.entropy_bits = 16;
        Served served;
        served.family = family();
        served.protocol = Protocol::udp;
        served.ports = {name, name};
        served.way = named.way;
        serve({served});
        const Chosen first = chosen_in(expect_delivered(piece({}), named.way), named.way);
        const Chosen later =
            chosen_in(expect_delivered(piece({.offset = 64}), named.way), named.way);
        EXPECT_EQ(first.address_bits, later.address_bits);
        EXPECT_EQ(first.flow_hash, later.flow_hash);
    }
}

}  // namespace

}  // namespace bascule::test
