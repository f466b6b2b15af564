// SPDX-License-Identifier: Apache-2.0
#include "cli/capture_text.h"

#include <fmt/format.h>

#include <ctime>
#include <span>

#include "cli/decode.h"
#include "cli/table.h"

namespace bascule::cli {

namespace {

constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;

std::string frame_line(const control::CapturedPacket& packet) {
    const auto& frame = packet.frame();
    return decode({reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size()},
                  packet.encapsulated())
        .line;
}

std::string time_of_day(std::int64_t unix_nanoseconds) {
    const std::time_t seconds = unix_nanoseconds / nanoseconds_per_second;
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return fmt::format("{:02}:{:02}:{:02}.{:06}", local.tm_hour, local.tm_min, local.tm_sec,
                       unix_nanoseconds % nanoseconds_per_second / 1000);
}

Colour colour_of(const control::CapturedPacket& packet) {
    if (!packet.drop().empty()) return Colour::red;
    return packet.what() == control::CAPTURE_LEAVES ? Colour::green : Colour::none;
}

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

}  // namespace

const char* what_of(const control::CapturedPacket& packet) {
    switch (packet.what()) {
        case control::CAPTURE_ARRIVES:
            return "arrives";
        case control::CAPTURE_LEAVES:
            return packet.answered() ? "answer" : "leaves";
        case control::CAPTURE_DROPPED:
            return "dropped";
        case control::CAPTURE_PASSED:
            return "passed";
        default:
            return "unknown";
    }
}

std::string fate_of(const control::CapturedPacket& packet) {
    std::string where = packet.service();
    if (!packet.backend().empty()) where += "/" + packet.backend();
    if (!packet.drop().empty())
        return where.empty() ? packet.drop() : fmt::format("{} ({})", packet.drop(), where);
    if (!packet.backend().empty()) return where;
    if (packet.what() == control::CAPTURE_PASSED && packet.events_size() > 0)
        return packet.events(0);
    return where;
}

std::string line_of(const control::CapturedPacket& packet, bool colours) {
    const std::string fate = harmless(fate_of(packet));
    return fmt::format("{} {} {} {}{}{}", time_of_day(packet.unix_nanoseconds()),
                       paint(fmt::format("{:<7}", what_of(packet)), colour_of(packet), colours),
                       harmless(packet.interface()), frame_line(packet), fate.empty() ? "" : ": ",
                       fate);
}

Json json_packet(const control::CapturedPacket& packet) {
    Json document;
    document["time"] = packet.unix_nanoseconds() / nanoseconds_per_second;
    document["nanoseconds"] = packet.unix_nanoseconds() % nanoseconds_per_second;
    document["what"] = what_of(packet);
    document["interface"] = packet.interface();
    document["service"] = text_or_null(packet.service());
    document["backend"] = text_or_null(packet.backend());
    document["drop"] = text_or_null(packet.drop());
    document["events"] =
        Json(std::vector<std::string>(packet.events().begin(), packet.events().end()));
    document["bytes"] = packet.frame_bytes();
    document["text"] = frame_line(packet);
    return document;
}

}  // namespace bascule::cli
