// SPDX-License-Identifier: Apache-2.0
// `bascule trace` and `bascule capture` against canned answers: codes, files, ends.
#include <csignal>
#include <set>
#include <thread>
#include <utility>

#include "command.h"

namespace bascule::control {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t capture_id = 7;
constexpr std::uint32_t section_header = 0x0a0d0d0a;

// Hands out packets as long as it is asked, two a batch, `most` in all.
struct CannedCapture {
    int most = 1'000'000;
    int given = 0;
    bool stopped = false;
    bool discarded = false;
    CaptureStartRequest start{};

    Response answer(const Request& request) {
        Response response;
        if (request.has_capture_start()) {
            start = request.capture_start();
            response.mutable_capture_started()->set_id(capture_id);
            response.mutable_capture_started()->set_seconds(600);
        } else if (request.has_capture_stop()) {
            stopped = true;
            discarded = request.capture_stop().discard();
            response.mutable_capture_stopped();
        } else {
            fill(*response.mutable_capture_batch());
        }
        return response;
    }

    void fill(CaptureBatch& batch) {
        for (int i = 0; i < 2 && given < most && !stopped; i++) {
            auto& packet = *batch.add_packets();
            packet.set_what(given % 2 == 0 ? CAPTURE_LEAVES : CAPTURE_DROPPED);
            if (given % 2 == 1) packet.set_drop("no_backend");
            packet.set_unix_nanoseconds(1'700'000'000'000'000'000 + given);
            packet.set_interface("eth0");
            packet.set_frame(std::string(60, '\0'));
            packet.set_frame_bytes(60);
            given++;
        }
        batch.set_lost(3);
        batch.set_ended(stopped || given >= most);
    }
};

class Watch : public Command {
protected:
    // What the server's thread fills is looked at once the server is gone.
    Answer with(CannedCapture& capture) const {
        return [&capture](Request request) -> boost::asio::awaitable<Response> {
            co_return capture.answer(request);
        };
    }
    Answer with(Response response) const {
        return [response](Request) -> boost::asio::awaitable<Response> { co_return response; };
    }
};

std::uint32_t u32(const std::string& bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; i++)
        value |= std::uint32_t{static_cast<std::uint8_t>(bytes.at(at + i))} << 8 * i;
    return value;
}

// How many blocks of a type a file has; -1: it ends amid a block.
int blocks(const std::string& bytes, std::uint32_t type) {
    int count = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        if (at + 12 > bytes.size()) return -1;
        const std::uint32_t length = u32(bytes, at + 4);
        if (length < 12 || at + length > bytes.size()) return -1;
        count += u32(bytes, at) == type;
        at += length;
    }
    return count;
}

TEST_F(Watch, ATraceEndsWithWhetherItIsDelivered) {
    const Words words = {"trace", "198.51.100.7", "40000", "10.9.0.100", "80"};
    for (const bool delivered : {true, false}) {
        Response response;
        response.mutable_traced()->set_delivered(delivered);
        response.mutable_traced()->set_summary(delivered ? "delivered to web/web1" : "dropped: x");
        RunningServer server(options(), with(response));
        const Ended text = run(words);
        EXPECT_EQ(text.code, delivered ? 0 : 1);
        EXPECT_TRUE(text.out.starts_with(delivered ? "delivered to web/web1\n" : "dropped: x\n"))
            << text.out;
        EXPECT_EQ(run_json(words, delivered ? 0 : 1)["delivered"], delivered);
    }
    EXPECT_EQ(run(words).code, 3);
}

TEST_F(Watch, ACaptureEndsAfterItsCount) {
    CannedCapture capture;
    {
        RunningServer server(options(), with(capture));
        const Ended result = run({"capture", "--count", "3", "--port", "80"});
        EXPECT_EQ(result.code, 0);
        EXPECT_EQ(plain_lines(result.out).size(), 4U) << result.out;
        EXPECT_TRUE(has(result.out, "no_backend"));
        EXPECT_TRUE(has(result.err, "3 packets captured, 3 lost")) << result.err;
    }
    EXPECT_TRUE(capture.discarded);
    EXPECT_EQ(capture.start.port(), 80U);
}

TEST_F(Watch, AFileIsWholeAndItsOwnersAlone) {
    CannedCapture capture{.most = 4};
    RunningServer server(options(), with(capture));
    const std::string file = directory_.file("x.pcapng");
    const Ended result = run({"capture", "-w", file});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, "");
    const std::string bytes = file_text(file);
    EXPECT_EQ(blocks(bytes, section_header), 1);
    EXPECT_EQ(blocks(bytes, 1), 1);
    EXPECT_EQ(blocks(bytes, 6), 4);
    EXPECT_EQ(blocks(bytes, 5), 1);
    EXPECT_EQ(std::filesystem::status(file).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Watch, CtrlCEndsTheFileProperly) {
    CannedCapture capture;
    const std::string file = directory_.file("x.pcapng");
    {
        RunningServer server(options(), with(capture));
        const pid_t child =
            start({"capture", "-w", file, "--runtime-dir", directory_.path()}, program_);
        for (int i = 0; i < 1000 && file_text(file).size() < 10'000; i++)
            std::this_thread::sleep_for(10ms);
        ::kill(child, SIGINT);
        EXPECT_EQ(ended(child).code, 0);
    }
    EXPECT_TRUE(capture.stopped);
    EXPECT_FALSE(capture.discarded);
    const std::string bytes = file_text(file);
    EXPECT_EQ(blocks(bytes, 6), capture.given);
    EXPECT_EQ(blocks(bytes, 5), 1);
}

TEST_F(Watch, ToTheStandardOutput) {
    CannedCapture capture{.most = 2};
    RunningServer server(options(), with(capture));
    const Ended result = run({"capture", "-w", "-"});
    EXPECT_EQ(blocks(result.out, 6), 2);
    // Not to one that a person looks at.
    const Ended shown = run_on_terminal({"capture", "-w", "-"}, 100);
    EXPECT_EQ(shown.code, 1);
    EXPECT_TRUE(has(shown.out, "is a terminal")) << shown.out;
}

TEST_F(Watch, JsonIsALineAPacketAndADocumentAtTheEnd) {
    CannedCapture capture{.most = 2};
    RunningServer server(options(), with(capture));
    const Ended result = run({"capture", "--json"});
    EXPECT_EQ(result.err, "");
    const auto lines = plain_lines(result.out);
    ASSERT_EQ(lines.size(), 4U) << result.out;
    EXPECT_EQ(json::parse(lines[0])["what"], "leaves");
    EXPECT_EQ(json::parse(lines[1])["drop"], "no_backend");
    EXPECT_EQ(json::parse(lines[2])["packets"], 2);
    EXPECT_EQ(json::parse(lines[2])["schema"], 1);
}

TEST_F(Watch, WhatCannotBeWrittenEndsTheCapture) {
    CannedCapture capture;
    RunningServer server(options(), with(capture));
    const Ended nowhere = run({"capture", "-w", directory_.file("no/such/x")});
    EXPECT_EQ(nowhere.code, 1);
    EXPECT_TRUE(has(nowhere.err, "No such file")) << nowhere.err;
    EXPECT_TRUE(std::exchange(capture.discarded, false));
    const Ended full = run({"capture", "-w", "/dev/full"});
    EXPECT_EQ(full.code, 1);
    EXPECT_TRUE(has(full.err, "No space left")) << full.err;
    EXPECT_TRUE(capture.discarded);
}

TEST_F(Watch, AFileThatIsThereBecomesItsOwnersAlone) {
    const std::string file = directory_.file("old.pcapng");
    std::ofstream(file) << std::string(100000, 'x');
    std::filesystem::permissions(file, std::filesystem::perms(0644));
    CannedCapture capture{.most = 2};
    RunningServer server(options(), with(capture));
    EXPECT_EQ(run({"capture", "-w", file}).code, 0);
    EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
    EXPECT_LT(std::filesystem::file_size(file), 10000U) << "nothing of the old one is left";
}

TEST_F(Watch, WhatTheDaemonRefuses) {
    RunningServer server(options(),
                         with(failure_response(Failure::FAILURE_BUSY, "another capture runs")));
    // The capture that runs may be the one that writes this file.
    const std::string file = directory_.file("running.pcapng");
    std::ofstream(file) << "packets";
    const Ended result = run({"capture", "-w", file});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(has(result.err, "another capture runs"));
    EXPECT_EQ(std::filesystem::file_size(file), 7U) << "left alone";
}

}  // namespace
}  // namespace bascule::control
