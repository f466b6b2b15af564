// SPDX-License-Identifier: Apache-2.0
#include "node/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "control/framing.h"
#include "dataplane/trace.h"
#include "node/links.h"
#include "node/slot_names.h"
#include "node/trace_packet.h"
#include "node/trace_words.h"
#include "node/views.h"

namespace bascule::node {

namespace {

using control::Failure;
using control::Response;

constexpr std::uint32_t most_vlan = 4094;

Result<Address> address_of(const std::string& text) {
    const auto address = Address::parse(text);
    if (!address) return failure(fmt::format("'{}' is not an address", text));
    return *address;
}

Result<std::uint16_t> port_of(std::uint32_t number, const char* what) {
    if (number == 0 || number > 65535)
        return failure(fmt::format("{} {} is not between 1 and 65535", what, number));
    return static_cast<std::uint16_t>(number);
}

// The interface that the packet comes in by, and its address.
struct Entry {
    std::string name;
    std::uint32_t ifindex = 0;
    Mac mac;
};

Result<Entry> entry_of(const Daemon& daemon, const std::string& wanted) {
    const auto attachments = daemon.dataplane().attachments();
    const auto found = std::find_if(
        attachments.begin(), attachments.end(),
        [&](const auto& attachment) { return wanted.empty() || attachment.interface == wanted; });
    if (found == attachments.end())
        return failure(wanted.empty() ? std::string("no interface carries the program")
                                      : fmt::format("interface {} carries no program", wanted));
    const auto link = daemon.links().get(found->interface);
    if (!link) return failure(fmt::format("interface {} is gone", found->interface));
    return Entry{found->interface, found->ifindex, link->mac};
}

Result<TracePacket> packet_of(const control::TraceRequest& ask, const Entry& entry) {
    auto source = address_of(ask.source());
    if (!source) return failure(std::move(source.error()));
    auto vip = address_of(ask.vip());
    if (!vip) return failure(std::move(vip.error()));
    auto source_port = port_of(ask.source_port(), "source port");
    if (!source_port) return failure(std::move(source_port.error()));
    auto port = port_of(ask.port(), "port");
    if (!port) return failure(std::move(port.error()));
    if (ask.vlan() > most_vlan)
        return failure(fmt::format("VLAN {} is above {}", ask.vlan(), most_vlan));
    TracePacket packet;
    packet.source = *source;
    packet.destination = *vip;
    packet.source_port = *source_port;
    packet.destination_port = *port;
    if (ask.protocol() == control::PROTOCOL_UDP) packet.protocol = model::Protocol::udp;
    if (ask.has_tcp_flags()) packet.tcp_flags = static_cast<std::uint8_t>(ask.tcp_flags());
    packet.bytes = ask.bytes();
    packet.may_be_fragmented = ask.may_be_fragmented();
    packet.vlan = static_cast<std::uint16_t>(ask.vlan());
    packet.station = entry.mac;
    return packet;
}

TraceFacts facts_of(const Daemon& daemon, const dataplane::Traced& traced, const Entry& entry) {
    const auto& notes = traced.notes;
    const auto& tables = daemon.dataplane().tables();
    const SlotNames names(daemon.state().config(), tables);
    Views views(daemon);
    TraceFacts facts;
    facts.in = entry.name;
    facts.out = notes.redirect_ifindex != 0 ? interface_name(notes.redirect_ifindex) : entry.name;
    if (const auto vip = tables.vips.find(notes.vip); vip != tables.vips.end())
        facts.vip_held = vip->second.held;
    if (const auto* service = notes.service ? names.service(*notes.service) : nullptr) {
        facts.service = views.service(*service);
        control::Backends backends;
        views.backends(*service, backends);
        facts.backends.assign(backends.backends().begin(), backends.backends().end());
    }
    if (const auto [service, backend] = names.backend(notes.backend); backend != nullptr)
        facts.backend = views.backend(*service, *backend);
    if (notes.session) {
        const auto standing = tables.backends.find(notes.session->backend);
        if (standing != tables.backends.end() &&
            standing->second.generation == notes.session->generation)
            facts.session_backend = names.backend_name(notes.session->backend);
    }
    return facts;
}

Response refused(Failure::Code code, Error error) {
    return control::failure_response(code, error.text());
}

}  // namespace

Response answer_trace(Daemon& daemon, const control::TraceRequest& ask) {
    auto entry = entry_of(daemon, ask.interface());
    if (!entry) return refused(Failure::FAILURE_NOT_FOUND, std::move(entry.error()));
    auto packet = packet_of(ask, *entry);
    if (!packet) return refused(Failure::FAILURE_INVALID, std::move(packet.error()));
    auto frame = make_frame(*packet);
    if (!frame) return refused(Failure::FAILURE_INVALID, std::move(frame.error()));
    if (frame->size() > dataplane::longest_traced_frame)
        return refused(Failure::FAILURE_INVALID,
                       Error(fmt::format("a packet of {} bytes is too long to be traced: the "
                                         "kernel tests frames of at most {}",
                                         ask.bytes(), dataplane::longest_traced_frame)));
    auto traced = dataplane::trace(daemon.dataplane(), entry->name, *frame);
    if (!traced) return refused(Failure::FAILURE_FAILED, std::move(traced.error()).within("trace"));

    TraceFacts facts = facts_of(daemon, *traced, *entry);
    facts.destination = packet->destination.to_string();
    facts.port = packet->destination_port;
    Response response;
    auto& answer = *response.mutable_traced();
    answer = put_in_words(*traced, facts);
    answer.set_frame_in(frame->data(), frame->size());
    if (!answer.out().empty()) answer.set_frame_out(traced->frame.data(), traced->frame.size());
    return response;
}

}  // namespace bascule::node
