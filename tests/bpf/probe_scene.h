// SPDX-License-Identifier: Apache-2.0
// Probes on the true path: the base of tests about them. This node sends them from an address that
// is no VIP; every frame is given by a builder, checksums summed anew, as it has to be on each
// side.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "delivery.h"
#include "prober.h"

namespace bascule::test {

inline constexpr std::uint16_t probe_port = 50000;  // of the probe's socket

// Both protocols are probed at this port.
struct Probed {
    model::Protocol protocol = model::Protocol::tcp;
    std::uint16_t source = probe_port;
    std::uint16_t destination = web;
    std::uint8_t flags = syn;
    std::uint32_t sequence = 1000;
    std::size_t payload = 21;
    std::size_t header_options = 0;  // bytes of IP options, or of an IPv6 extension header
    bool udp_checksum = true;
};

class ProbeScene : public OwnTables {
protected:
    void SetUp() override;

    Prober& prober() { return *prober_; }
    // Serves it, and takes note of where its backend stands.
    void serve_one(const Served& served);

    const Family& family() const { return served_.family; }
    bool v4() const { return family().vip.is_v4(); }
    const Address& node() const { return family().other; }
    std::uint16_t slot() const { return slot_; }
    std::uint8_t generation() const { return generation_; }
    Address target() const { return made_up(v4(), slot_, generation_); }
    // Like the one that is served.
    Probed probed() const { return {.protocol = served_.protocol}; }

    // A packet of the probe, from anywhere to anywhere, and of an answer.
    Frame packet(Frame frame, const Address& from, const Address& to, const Probed& probed) const;
    Bytes sent_by_stack(const Probed& probed) const {
        return packet(Frame(), node(), target(), probed);
    }
    Bytes sent_to_vip(const Probed& probed) const {
        return packet(Frame(), node(), family().vip, probed);
    }
    // `probed.source` is the probe's port here, too.
    Frame answer(Frame frame, const Address& from, Probed probed) const;
    Bytes answered_by_vip(const Probed& probed) const {
        return answer(Frame(), family().vip, probed);
    }
    Bytes as_stack_gets_it(const Probed& probed) const {
        return answer(Frame(stack_mac, stack_mac), target(), probed);
    }

    // Sends a probe by the program; it must leave. What left.
    Bytes send(const Probed& probed);
    dataplane::ProbeNote note() { return engine().dataplane().probe_note(slot_); }
    void expect_note(bsc_probe_event event, std::uint32_t detail = 0);
    // It is Linux's, as it came; nothing is counted, and the note stays.
    void expect_strange(const Bytes& frame);
    // The program takes no notice; what a trace says is what happens then.
    void expect_traced(const Bytes& frame, Verdict verdict);

private:
    static std::unique_ptr<Prober> prober_;
    Served served_;
    std::uint16_t slot_ = 0;
    std::uint8_t generation_ = 0;
};

bool operator==(const dataplane::ProbeNote& one, const dataplane::ProbeNote& other);

}  // namespace bascule::test
