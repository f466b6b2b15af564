// SPDX-License-Identifier: Apache-2.0
#include "cli/watch_options.h"

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/command_line.h"
#include "cli/duration.h"

namespace bascule::cli {

namespace {

constexpr std::uint32_t most_packet_bytes = 65535;
constexpr std::uint32_t most_vlan = 4094;
constexpr std::uint32_t most_seconds = 3600;
constexpr std::uint64_t most_counted = 1'000'000'000'000;
constexpr std::uint32_t least_snap_bytes = 64, most_snap_bytes = 16384;

constexpr std::array<std::pair<std::string_view, std::uint8_t>, 8> flag_names = {{{"fin", 1},
                                                                                  {"syn", 2},
                                                                                  {"rst", 4},
                                                                                  {"psh", 8},
                                                                                  {"ack", 16},
                                                                                  {"urg", 32},
                                                                                  {"ece", 64},
                                                                                  {"cwr", 128}}};

std::optional<std::uint8_t> flag_of(std::string_view word) {
    for (const auto& [name, bit] : flag_names)
        if (word == name) return bit;
    return std::nullopt;
}

const CLI::Validator is_address(
    [](std::string& text) {
        return Address::parse(text) ? std::string() : "'" + text + "' is no address";
    },
    "", "address");

const CLI::Validator is_flags(
    [](std::string& text) {
        return parse_tcp_flags(text) ? std::string()
                                     : "'" + text +
                                           "' is neither none nor of fin, syn, rst, psh, ack, urg, "
                                           "ece and cwr, with commas between";
    },
    "", "flags");

const CLI::Validator is_short_time(
    [](std::string& text) {
        const auto seconds = parse_duration(text);
        return seconds && seconds->count() > 0 && seconds->count() <= most_seconds
                   ? std::string()
                   : "'" + text + "' is no time such as 30s or 10m, at most 1h";
    },
    "", "time");

control::Protocol protocol_of(const std::string& name) {
    if (name == "udp") return control::PROTOCOL_UDP;
    return name == "tcp" ? control::PROTOCOL_TCP : control::PROTOCOL_UNSPECIFIED;
}

struct TraceArguments {
    std::string source, vip, protocol = "tcp", flags = "syn", interface;
    std::uint32_t source_port = 0, port = 0, bytes = 0, vlan = 0;
    bool df = true;
};

struct CaptureArguments {
    bool arrives = false, leaves = false, dropped = false, passed = false;
    std::vector<std::string> reasons;
    std::string file, client, vip, protocol, time;
    std::uint32_t port = 0, sample = 0, snap_bytes = 0;
    std::uint64_t count = 0;
};

control::TraceRequest request_of(const TraceArguments& from) {
    control::TraceRequest trace;
    trace.set_source(from.source);
    trace.set_source_port(from.source_port);
    trace.set_vip(from.vip);
    trace.set_port(from.port);
    trace.set_protocol(protocol_of(from.protocol));
    trace.set_interface(from.interface);
    trace.set_tcp_flags(parse_tcp_flags(from.flags).value_or(0));
    trace.set_bytes(from.bytes);
    trace.set_may_be_fragmented(!from.df);
    trace.set_vlan(from.vlan);
    return trace;
}

Capture capture_of(const CaptureArguments& from) {
    Capture capture;
    auto& start = capture.start;
    if (from.arrives) start.add_what(control::CAPTURE_ARRIVES);
    if (from.leaves) start.add_what(control::CAPTURE_LEAVES);
    if (from.passed) start.add_what(control::CAPTURE_PASSED);
    if (from.dropped || !from.reasons.empty()) start.add_what(control::CAPTURE_DROPPED);
    for (const auto& reason : from.reasons)
        start.add_reasons(reason);
    start.set_client(from.client);
    start.set_vip(from.vip);
    start.set_port(from.port);
    start.set_protocol(protocol_of(from.protocol));
    start.set_sample(from.sample);
    start.set_snap_bytes(from.snap_bytes);
    if (const auto seconds = parse_duration(from.time))
        start.set_seconds(static_cast<std::uint32_t>(seconds->count()));
    capture.file = from.file;
    capture.count = from.count;
    return capture;
}

void add_what(CLI::App& command, CaptureArguments& into) {
    command.add_flag("--arrives", into.arrives, "Packets as they come in");
    command.add_flag("--leaves", into.leaves, "What is sent on, and our own answers");
    command.add_flag("--dropped", into.dropped, "What is dropped");
    command.add_flag("--passed", into.passed, "What is given to Linux");
    command
        .add_option("--reason", into.reasons,
                    "What is dropped for this reason; may be given several times")
        ->type_name("NAME")
        ->allow_extra_args(false);
}

void add_filters(CLI::App& command, CaptureArguments& into) {
    command.add_option("--client", into.client, "From this address or prefix")
        ->type_name("ADDRESS");
    command.add_option("--vip", into.vip, "To this VIP")->type_name("ADDRESS")->check(is_address);
    command.add_option("--port", into.port, "To this port")
        ->type_name("N")
        ->check(command_line::number(1, 65535));
    command.add_option("--protocol", into.protocol, "Of this protocol: tcp or udp")
        ->type_name("PROTOCOL")
        ->check(command_line::one_of({"tcp", "udp"}));
    command.add_option("--sample", into.sample, "One packet in so many, by chance")
        ->type_name("N")
        ->check(command_line::number(1, 1'000'000'000));
}

}  // namespace

std::optional<std::uint8_t> parse_tcp_flags(std::string_view text) {
    if (text == "none") return std::uint8_t{0};
    unsigned flags = 0;
    for (;;) {
        const auto end = text.find_first_of(",+");
        const auto flag = flag_of(text.substr(0, end));
        if (!flag) return std::nullopt;
        flags |= *flag;
        if (end == std::string_view::npos) return static_cast<std::uint8_t>(flags);
        text.remove_prefix(end + 1);
    }
}

void add_trace(CLI::App& app, Options& options) {
    auto into = std::make_shared<TraceArguments>();
    CLI::App* command =
        app.add_subcommand("trace", "What would become of a packet, and why; it leaves no trace");
    command->add_option("SRC", into->source, "The client's address")->required()->check(is_address);
    command->add_option("SPORT", into->source_port, "Its port")
        ->required()
        ->check(command_line::number(1, 65535));
    command->add_option("VIP", into->vip, "Address the packet is for")
        ->required()
        ->check(is_address);
    command->add_option("PORT", into->port, "Its port")
        ->required()
        ->check(command_line::number(1, 65535));
    command->add_option("PROTOCOL", into->protocol, "tcp or udp")
        ->check(command_line::one_of({"tcp", "udp"}))
        ->capture_default_str();
    command->add_option("--flags", into->flags, "TCP flags, such as ack or fin,ack; none")
        ->type_name("FLAGS")
        ->check(is_flags)
        ->capture_default_str();
    command->add_option("--in", into->interface, "Interface it comes in by (default: the first)")
        ->type_name("INTERFACE");
    command
        ->add_option("--size", into->bytes, "Bytes of the IP packet (default: its headers alone)")
        ->type_name("BYTES")
        ->check(command_line::number(1, most_packet_bytes));
    command->add_option("--vlan", into->vlan, "VLAN id of its tag")
        ->type_name("ID")
        ->check(command_line::number(1, most_vlan));
    command->add_flag("--df,!--no-df", into->df, "IPv4: \"don't fragment\" is set, or not");
    command->final_callback([into, &options] {
        options.command = "trace";
        Ask task;
        *task.request.mutable_trace() = request_of(*into);
        options.task = std::move(task);
    });
}

void add_capture(CLI::App& app, Options& options) {
    auto into = std::make_shared<CaptureArguments>();
    CLI::App* command = app.add_subcommand(
        "capture", "Packets for VIPs and what became of them, as lines or as a pcapng file");
    command->add_option("-w,--write", into->file, "Write pcapng to this file; -: standard output")
        ->type_name("FILE");
    add_what(*command, *into);
    add_filters(*command, *into);
    command->add_option("--snap", into->snap_bytes, "At most so many bytes of each frame")
        ->type_name("BYTES")
        ->check(command_line::number(least_snap_bytes, most_snap_bytes));
    command->add_option("--count", into->count, "End after so many packets")
        ->type_name("N")
        ->check(command_line::number(1, most_counted));
    command->add_option("--for", into->time, "End after this time, such as 30s (default: 10m)")
        ->type_name("TIME")
        ->check(is_short_time);
    command->final_callback([into, &options] {
        options.command = "capture";
        options.task = capture_of(*into);
    });
}

}  // namespace bascule::cli
