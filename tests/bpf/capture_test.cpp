// SPDX-License-Identifier: Apache-2.0
// What the capturing copies report of packets, through the perf buffers as the daemon reads them.
#include "dataplane/capture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <chrono>

#include "cpu.h"
#include "delivery.h"

namespace bascule::test {
namespace {

using dataplane::CaptureFilter;
using dataplane::CaptureRecord;
using model::Forward;

constexpr std::uint32_t everything =
    BSC_CAPTURE_ARRIVES | BSC_CAPTURE_LEAVES | BSC_CAPTURE_DROPPED | BSC_CAPTURE_PASSED;
constexpr std::uint32_t ends = everything & ~BSC_CAPTURE_ARRIVES;

std::uint32_t program_id() {
    std::uint32_t id = 0;
    EXPECT_EQ(bpf_xdp_query_id(static_cast<int>(interface_index(first_interface)), 0, &id), 0);
    return id;
}

class CaptureTest : public Delivery {
protected:
    void TearDown() override { capture_.reset(); }

    void begin(const CaptureFilter& filter) {
        capture_.reset();
        auto begun = dataplane::Capture::begin(engine().dataplane(), filter, ++serial_);
        ASSERT_TRUE(begun) << begun.error().text();
        capture_ = std::move(*begun);
    }
    void begin(std::uint32_t what) {
        CaptureFilter filter;
        filter.what = what;
        begin(filter);
    }
    // Through the program that is on the interface.
    Outcome send(const Bytes& frame) {
        const int program = bpf_prog_get_fd_by_id(program_id());
        auto run = run_program(program, frame);
        ::close(program);
        if (!run) throw std::runtime_error(run.error().text());
        return run->outcome;
    }
    std::vector<CaptureRecord> records() {
        capture_->collect();
        std::vector<CaptureRecord> all;
        while (auto record = capture_->take())
            all.push_back(std::move(*record));
        return all;
    }

    std::unique_ptr<dataplane::Capture> capture_;
    std::uint64_t serial_ = 100;
};

TEST_F(CaptureTest, SwapsItsProgramsInAndOutAgain) {
    const std::uint32_t before = program_id();
    begin(ends);
    const std::uint32_t during = program_id();
    EXPECT_NE(during, before);
    capture_.reset();
    EXPECT_EQ(program_id(), before);
}

TEST_F(CaptureTest, SeesAPacketArriveAndLeave) {
    serve({{.way = tunnel_way(Forward::ipip, true)}});
    begin(everything);
    const Bytes frame = web_frame(ipv4_family());
    const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    const Outcome outcome = send(frame);
    ASSERT_EQ(outcome.verdict, Verdict::tx);
    const auto seen = records();
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0].what, std::uint32_t{BSC_CAPTURE_ARRIVES});
    EXPECT_EQ(hex(seen[0].bytes), hex(frame));
    EXPECT_EQ(seen[1].what, std::uint32_t{BSC_CAPTURE_LEAVES});
    EXPECT_EQ(hex(seen[1].bytes), hex(outcome.frame));
    EXPECT_TRUE(seen[1].notes.has(BSC_STEP_ENCAPSULATED));
    EXPECT_NE(seen[1].notes.backend, 0);
    EXPECT_EQ(seen[1].notes.service, engine().service_slot(web_key(ipv4_family())));
    EXPECT_LE(seen[0].unix_nanoseconds, seen[1].unix_nanoseconds);
    // By the wall clock, to within a minute.
    EXPECT_LT(std::abs(seen[0].unix_nanoseconds - now), 60'000'000'000);
    EXPECT_EQ(capture_->lost(), 0U);
}

TEST_F(CaptureTest, NamesTheReasonOfADrop) {
    begin(ends);
    EXPECT_EQ(send(tcp_packet(ipv6_family(), syn | fin)).verdict, Verdict::drop);
    const auto seen = records();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].what, std::uint32_t{BSC_CAPTURE_DROPPED});
    ASSERT_TRUE(seen[0].notes.drop);
    EXPECT_STREQ(seen[0].notes.drop->name, "tcp_flags");
}

TEST_F(CaptureTest, AnAnswerIsADropThatLeaves) {
    serve({{.on_empty = model::OnEmpty::reset, .has_backend = false}});
    CaptureFilter filter;
    filter.what = BSC_CAPTURE_DROPPED;
    filter.reasons = std::uint64_t{1} << BSC_DROP_REFUSED;
    begin(filter);
    const Outcome outcome = send(web_frame(ipv4_family()));
    ASSERT_EQ(outcome.verdict, Verdict::tx);
    send(tcp_packet(ipv4_family(), syn | fin));  // another reason
    const auto seen = records();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].what, std::uint32_t{BSC_CAPTURE_LEAVES});
    EXPECT_EQ(hex(seen[0].bytes), hex(outcome.frame));
    ASSERT_TRUE(seen[0].notes.drop);
    EXPECT_STREQ(seen[0].notes.drop->name, "refused");
}

TEST_F(CaptureTest, OnlyPacketsForAVip) {
    begin(everything);
    for (const Family* family : {&ipv4_family(), &ipv6_family()})
        send(Frame().ip(family->client, family->other).tcp({.flags = syn}));
    send(Frame(our_mac, router_mac, 0x0806).payload(46));
    EXPECT_TRUE(records().empty());
    send(Frame().ip(ipv4_family().client, ipv4_family().vip).tcp({.destination = 4711}));
    EXPECT_EQ(records().size(), 2U);
}

// Which of a few packets a filter lets through.
struct FilterCase {
    const char* title;
    CaptureFilter filter;
    // client .7 port 80; client .8 port 80; udp port 53; IPv6 port 80; VLAN, IPv6 with extension
    std::vector<int> wanted;
};

CaptureFilter filter_with(const std::function<void(CaptureFilter&)>& edit) {
    CaptureFilter filter;
    filter.what = ends;
    edit(filter);
    return filter;
}

TEST_F(CaptureTest, FiltersByEachField) {
    const std::vector<Bytes> sent = {
        tcp_packet(ipv4_family(), syn),
        Frame().ip(address("198.51.100.8"), ipv4_family().vip).tcp({.flags = syn}),
        udp_packet(ipv4_family()),
        tcp_packet(ipv6_family(), syn),
        Frame()
            .vlan(5)
            .ipv6({.source = ipv6_family().client, .destination = ipv6_family().vip})
            .extension(destination_options, 24)
            .udp({.destination = name})
            .payload(12),
    };
    const std::vector<FilterCase> cases = {
        {"all", filter_with([](CaptureFilter&) {}), {0, 1, 2, 3, 4}},
        {"client",
         filter_with([](CaptureFilter& f) { f.client.emplace(address("198.51.100.8"), 128U); }),
         {1}},
        {"network",
         filter_with([](CaptureFilter& f) { f.client.emplace(address("198.51.100.0"), 120U); }),
         {0, 1, 2}},
        {"network of IPv6",
         filter_with([](CaptureFilter& f) { f.client.emplace(address("2001:db8::"), 32U); }),
         {3, 4}},
        {"vip", filter_with([](CaptureFilter& f) { f.vip = ipv6_family().vip; }), {3, 4}},
        {"port", filter_with([](CaptureFilter& f) { f.port = name; }), {2, 4}},
        {"protocol", filter_with([](CaptureFilter& f) { f.protocol = 17; }), {2, 4}},
        {"two at once",
         filter_with([](CaptureFilter& f) {
             f.protocol = 6;
             f.vip = ipv4_family().vip;
         }),
         {0, 1}},
        {"nothing of that kind",
         filter_with([](CaptureFilter& f) { f.what = BSC_CAPTURE_PASSED; }),
         {}},
    };
    for (const FilterCase& one : cases) {
        SCOPED_TRACE(one.title);
        begin(one.filter);
        std::vector<int> got;
        for (int i = 0; i < static_cast<int>(sent.size()); i++) {
            send(sent[static_cast<std::size_t>(i)]);
            if (!records().empty()) got.push_back(i);
        }
        EXPECT_EQ(got, one.wanted);
    }
}

TEST_F(CaptureTest, LaterFragmentsHaveNoPort) {
    const Bytes later = Frame()
                            .ipv4({.source = ipv4_family().client,
                                   .destination = ipv4_family().vip,
                                   .fragment_word = 100,
                                   .protocol = 6})
                            .payload(100);
    begin(filter_with([](CaptureFilter& f) { f.port = 0x2020; }));
    send(later);
    EXPECT_TRUE(records().empty());
    begin(ends);
    send(later);
    EXPECT_EQ(records().size(), 1U);
}

TEST_F(CaptureTest, KeepsAtMostTheBytesAskedFor) {
    begin(filter_with([](CaptureFilter& f) { f.snap_bytes = 64; }));
    const Bytes frame = tcp_packet(ipv4_family(), syn, 1, client_port, 500);
    send(frame);
    const auto seen = records();
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].bytes.size(), 64U);
    EXPECT_EQ(seen[0].frame_bytes, frame.size());
}

TEST_F(CaptureTest, SamplesArrivalAndEndTogether) {
    begin(filter_with([](CaptureFilter& f) {
        f.what = everything;
        f.sample = 4;
    }));
    std::size_t taken = 0;
    for (int i = 0; i < 400; i++) {
        send(udp_packet(ipv4_family()));
        const std::size_t seen = records().size();
        ASSERT_TRUE(seen == 0 || seen == 2) << seen;
        taken += seen / 2;
    }
    EXPECT_GT(taken, 40U);
    EXPECT_LT(taken, 220U);
}

TEST_F(CaptureTest, FallsSilentUnlessItIsRenewed) {
    begin(ends);
    ASSERT_TRUE(capture_->renew(0));
    send(tcp_packet(ipv4_family(), syn));
    EXPECT_TRUE(records().empty());
    ASSERT_TRUE(capture_->renew(30));
    send(tcp_packet(ipv4_family(), syn));
    EXPECT_EQ(records().size(), 1U);
    capture_->silence();
    send(tcp_packet(ipv4_family(), syn));
    EXPECT_TRUE(records().empty());
}

// What nobody collects fills the buffer of a CPU; the packets themselves go on.
TEST_F(CaptureTest, CountsWhatFindsABufferFull) {
    // What was lost on another CPU would be told by a record of that one.
    const CpuGuard guard;
    pin_to(usable_cpus().front());
    begin(filter_with([](CaptureFilter& f) { f.what = everything; }));
    const Bytes frame = udp_packet(ipv4_family(), client_port, 1400);
    constexpr std::size_t sent = 1000;
    for (std::size_t i = 0; i < sent; i++)
        ASSERT_EQ(send(frame).verdict, Verdict::tx);
    std::size_t got = records().size();
    // The count comes with the next record that finds room.
    for (int i = 0; i < 100; i++) {
        send(frame);
        got += records().size();
    }
    EXPECT_GT(capture_->lost(), 0U);
    EXPECT_EQ(got + capture_->lost(), 2 * (sent + 100));
}

}  // namespace
}  // namespace bascule::test
