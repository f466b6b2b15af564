// SPDX-License-Identifier: Apache-2.0
#include "probe_scene.h"

#include "dataplane/trace.h"

namespace bascule::test {

std::unique_ptr<Prober> ProbeScene::prober_;

bool operator==(const dataplane::ProbeNote& one, const dataplane::ProbeNote& other) {
    return one.event == other.event && one.detail == other.detail && one.from == other.from &&
           one.port == other.port && one.generation == other.generation &&
           one.nanoseconds == other.nanoseconds;
}

void ProbeScene::SetUp() {
    OwnTables::SetUp();
    if (HasFatalFailure()) return;
    if (!prober_) prober_ = std::make_unique<Prober>(engine());
    prober_->forget();
    prober_->set_pair(true);
    for (const Family* family : {&ipv4_family(), &ipv6_family()})
        engine().dataplane().add_probe_source(family->other);
}

void ProbeScene::serve_one(const Served& served) {
    served_ = served;
    serve({served});
    slot_ = 0;
    for (const auto& [slot, backend] : engine().dataplane().tables().backends) {
        slot_ = slot;
        generation_ = backend.generation;
    }
    ASSERT_NE(slot_, 0);
    engine().counted();
}

Frame ProbeScene::packet(Frame frame, const Address& from, const Address& to,
                         const Probed& probed) const {
    if (to.is_v4())
        frame.ipv4({.source = from, .destination = to, .option_bytes = probed.header_options});
    else
        frame.ipv6({.source = from, .destination = to});
    if (!to.is_v4() && probed.header_options != 0)
        frame.extension(destination_options, probed.header_options);
    if (probed.protocol == model::Protocol::tcp)
        frame.tcp({.source = probed.source,
                   .destination = probed.destination,
                   .sequence = probed.sequence,
                   .flags = probed.flags});
    else
        frame.udp({.source = probed.source, .destination = probed.destination, .checksum = 0});
    frame.payload(probed.payload);
    if (probed.protocol == model::Protocol::tcp || probed.udp_checksum) frame.checked();
    return frame;
}

Frame ProbeScene::answer(Frame frame, const Address& from, Probed probed) const {
    std::swap(probed.source, probed.destination);
    return packet(std::move(frame), from, node(), probed);
}

Bytes ProbeScene::send(const Probed& probed) {
    const Outcome outcome = prober().run(sent_by_stack(probed));
    EXPECT_EQ(outcome.verdict, Verdict::redirect);
    return outcome.frame;
}

void ProbeScene::expect_note(bsc_probe_event event, std::uint32_t detail) {
    const dataplane::ProbeNote now = note();
    EXPECT_EQ(now.event, event);
    EXPECT_EQ(now.detail, detail);
    EXPECT_EQ(now.generation, event == BSC_PROBE_NOTHING ? 0 : generation_);
    EXPECT_EQ(now.nanoseconds == 0, event == BSC_PROBE_NOTHING);
}

void ProbeScene::expect_strange(const Bytes& frame) {
    const dataplane::ProbeNote before = note();
    expect_untouched(frame, Verdict::pass);
    expect_counts({});
    EXPECT_TRUE(note() == before);
}

void ProbeScene::expect_traced(const Bytes& frame, Verdict verdict) {
    const dataplane::ProbeNote before = note();
    const std::size_t flows = prober().flows();
    const auto traced = dataplane::trace(engine().dataplane(), first_interface, frame);
    ASSERT_TRUE(traced) << traced.error().text();
    EXPECT_TRUE(note() == before);
    EXPECT_EQ(prober().flows(), flows);
    expect_counts({});
    EXPECT_TRUE(engine().sessions().empty());

    const Outcome live = engine().run(frame);
    EXPECT_EQ(live.verdict, verdict);
    EXPECT_EQ(static_cast<std::uint32_t>(traced->verdict), static_cast<std::uint32_t>(verdict));
    EXPECT_EQ(hex(traced->frame), hex(live.frame));
}

}  // namespace bascule::test
