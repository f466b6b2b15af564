// SPDX-License-Identifier: Apache-2.0
#include "node/trace_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string_view>

namespace bascule::node {

namespace {

using dataplane::Notes;
using dataplane::Verdict;

constexpr std::size_t most_listed_backends = 12;

// "BACKEND_UP" -> "up", as the command prints it.
std::string lower(const std::string& enum_name, std::string_view prefix) {
    std::string text = enum_name.substr(std::min(prefix.size(), enum_name.size()));
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::string state_of(const control::Backend& backend) {
    return lower(control::BackendState_Name(backend.state()), "BACKEND_");
}

std::string name_of(const control::Backend& backend) {
    return backend.service() + "/" + backend.name();
}

std::string name_of(bsc_state state) {
    switch (state) {
        case BSC_EMBRYONIC:
            return "embryonic";
        case BSC_ADOPTED:
            return "adopted";
        case BSC_CLOSING:
            return "closing";
        case BSC_ESTABLISHED:
            return "established";
        case BSC_FREE:
        case BSC_BUSY:
            break;
    }
    return "being written";
}

class Words {
public:
    Words(const dataplane::Traced& traced, const TraceFacts& facts)
        : traced_(traced), notes_(traced.notes), facts_(facts) {}

    control::Traced put();

private:
    control::TraceStep& step(const char* name, std::string text) {
        auto& step = *message_.add_steps();
        step.set_step(name);
        step.set_text(std::move(text));
        return step;
    }
    bool leaves() const {
        return traced_.verdict == Verdict::tx || traced_.verdict == Verdict::redirect;
    }
    bool delivered() const {
        return !notes_.drop && notes_.backend != 0 &&
               (leaves() || traced_.verdict == Verdict::pass);
    }

    void vip();
    void service();
    void session();
    void ring();
    void backend();
    void delivery();
    void end();
    void list_backends(control::TraceStep& step) const;
    std::string summary() const;
    std::string linux_reason() const;
    void advise(control::TraceStep& step) const;

    const dataplane::Traced& traced_;
    const Notes& notes_;
    const TraceFacts& facts_;
    control::Traced message_;
};

void Words::vip() {
    if (notes_.vip == 0) {
        step("vip", facts_.destination + " is no VIP here");
        return;
    }
    step("vip", facts_.destination +
                    (facts_.vip_held ? " is held by this node" : " is not held by this node"));
}

void Words::service() {
    if (!notes_.service) {
        // What is broken was never looked up.
        const bool looked_up = !notes_.drop || notes_.drop->name == std::string_view("not_held");
        if (notes_.vip != 0 && looked_up) step("service", "none fits port and protocol");
        return;
    }
    if (!facts_.service) {
        step("service", fmt::format("slot {}, no longer in the configuration", *notes_.service));
        return;
    }
    const auto& service = *facts_.service;
    step("service",
         fmt::format("{} ({}/{}), by its {}; forward {}, affinity {}, unknown {}", service.name(),
                     service.ports(), service.protocol() == control::PROTOCOL_UDP ? "udp" : "tcp",
                     notes_.has(BSC_STEP_SERVICE_RANGE) ? "range of ports" : "own port",
                     service.mode(), service.affinity(), service.unknown()));
}

void Words::session() {
    if (!notes_.service) return;
    if (!notes_.session) {
        // Broken or refused before the table is asked.
        if (!notes_.drop || notes_.ring_slot) step("session", "none");
        return;
    }
    const auto& met = *notes_.session;
    std::string text = fmt::format(
        "{}, idle for {} s, {}", name_of(met.state), met.idle,
        facts_.session_backend.empty() ? "its backend is gone" : facts_.session_backend);
    if (met.from_peer) text += ", from a peer";
    if (notes_.has(BSC_STEP_SESSION_EXPIRED)) text += "; over: the packet begins anew";
    if (notes_.has(BSC_STEP_SESSION_MOVES)) text += "; its backend takes no packets: it moves";
    step("session", text);
}

void Words::ring() {
    if (!notes_.ring_slot) return;
    step("ring", notes_.ring_size == 0
                     ? std::string("empty")
                     : fmt::format("slot {} of {}", *notes_.ring_slot, notes_.ring_size));
}

void Words::backend() {
    if (notes_.backend == 0) return;
    if (!facts_.backend) {
        step("backend", fmt::format("slot {}, no longer in the configuration", notes_.backend));
        return;
    }
    const auto& backend = *facts_.backend;
    std::string text = fmt::format("{}, {}, {}, weight {}", name_of(backend), backend.address(),
                                   state_of(backend), backend.weight());
    if (!backend.reason().empty()) text += ": " + backend.reason();
    step("backend", text);
}

void Words::delivery() {
    if (!facts_.backend || notes_.backend == 0) return;
    const auto& backend = *facts_.backend;
    std::string text = backend.mode();
    if (!backend.tunnel_source().empty())
        text += fmt::format(" from {} to {}", backend.tunnel_source(), backend.address());
    if (notes_.forward == BSC_FORWARD_LOCAL) {
        text += ": this host's own stack takes it";
    } else {
        text += backend.mac().empty() ? std::string(", MAC address not known")
                                      : fmt::format(", to {}", backend.mac());
        if (!backend.via().empty()) text += fmt::format(" (gateway {})", backend.via());
        if (!backend.interface().empty()) text += fmt::format(", by {}", backend.interface());
        if (backend.vlan() != 0) text += fmt::format(", vlan {}", backend.vlan());
        if (backend.mtu() != 0) text += fmt::format(", mtu {}", backend.mtu());
    }
    auto& told = step("delivery", text);
    if (notes_.has(BSC_STEP_PORT_REWRITTEN))
        told.add_details(
            fmt::format("destination port {} becomes {}", facts_.port, backend.rewritten_port()));
    if (notes_.has(BSC_STEP_MSS_CLAMPED)) told.add_details("maximum segment size lowered");
    if (notes_.has(BSC_STEP_RETAGGED)) told.add_details("VLAN tag changed");
}

void Words::list_backends(control::TraceStep& step) const {
    if (facts_.backends.empty()) {
        step.add_details("the service has no backend");
        return;
    }
    for (std::size_t i = 0; i < facts_.backends.size() && i < most_listed_backends; i++) {
        const auto& backend = facts_.backends[i];
        std::string line = fmt::format("{}: {}", name_of(backend), state_of(backend));
        if (!backend.reason().empty()) line += ": " + backend.reason();
        step.add_details(line);
    }
    if (facts_.backends.size() > most_listed_backends)
        step.add_details(fmt::format("and {} more", facts_.backends.size() - most_listed_backends));
}

// What to look at next.
void Words::advise(control::TraceStep& step) const {
    const std::string_view reason = notes_.drop->name;
    const std::string address = facts_.backend ? facts_.backend->address() : "";
    if (reason == "no_backend" || reason == "refused") {
        // Backends that are up take nothing either, then.
        if (facts_.service && facts_.service->below_quorum() && facts_.service->quorum() > 1)
            step.add_details(fmt::format("{} of the {} backends that its quorum needs can serve",
                                         facts_.service->able(), facts_.service->quorum()));
        list_backends(step);
    } else if (reason == "unknown_session") {
        step.add_details("a client that begins sends a SYN: trace with --flags syn");
    } else if (reason == "no_neighbour" && !address.empty()) {
        step.add_details(fmt::format(
            "look at: ip neigh get {}{}", address,
            facts_.backend->interface().empty() ? "" : " dev " + facts_.backend->interface()));
    } else if (reason == "other_interface") {
        step.add_details("[node] interfaces has to name every interface that packets leave by");
    } else if (reason.starts_with("too_big") && facts_.backend) {
        step.add_details(
            fmt::format("the way to {} takes {} bytes, outer headers included; "
                        "bascule-backend on the server keeps TCP below it",
                        name_of(*facts_.backend), facts_.backend->mtu()));
    } else if (reason == "not_held") {
        step.add_details("look at: bascule status");
    } else if (reason == "tcp_flags") {
        step.add_details("no client sends these flags: trace with others (--flags)");
    }
}

std::string Words::linux_reason() const {
    const auto events = notes_.event_words();
    if (!events.empty()) {
        const std::string meaning = events.front().meaning;
        return meaning.substr(0, meaning.rfind(": given to Linux"));
    }
    return notes_.vip == 0 ? "not for a VIP" : "not for a service";
}

std::string Words::summary() const {
    const std::string to =
        facts_.backend ? name_of(*facts_.backend) : fmt::format("backend slot {}", notes_.backend);
    if (delivered())
        return leaves() ? fmt::format("delivered to {}, out of {}", to, facts_.out)
                        : fmt::format("delivered to {}: this host's own stack", to);
    if (traced_.verdict == Verdict::pass) return "given to Linux: " + linux_reason();
    if (notes_.drop && leaves())
        return fmt::format("not delivered, the client is told: {}: {}", notes_.drop->name,
                           notes_.drop->meaning);
    if (notes_.drop) return fmt::format("dropped: {}: {}", notes_.drop->name, notes_.drop->meaning);
    return fmt::format("the program ended with verdict {}, and said no reason",
                       dataplane::name_of(traced_.verdict));
}

void Words::end() {
    if (notes_.drop) {
        auto& told = step("dropped", notes_.drop->name);
        advise(told);
        return;
    }
    if (!delivered() && traced_.verdict == Verdict::pass) step("linux", linux_reason());
}

control::Traced Words::put() {
    message_.set_delivered(delivered());
    message_.set_verdict(dataplane::name_of(traced_.verdict));
    message_.set_summary(summary());
    message_.set_interface(facts_.in);
    if (leaves()) message_.set_out(facts_.out);
    if (facts_.service) message_.set_service(facts_.service->name());
    if (facts_.backend && notes_.backend != 0) message_.set_backend(facts_.backend->name());
    if (notes_.drop) message_.set_drop(notes_.drop->name);
    for (const auto& event : notes_.event_words())
        message_.add_events(event.name);
    message_.set_answered(notes_.has(BSC_STEP_ANSWERED) || (notes_.drop && leaves()));
    message_.set_encapsulated(notes_.has(BSC_STEP_ENCAPSULATED));
    if (notes_.ring_slot) message_.set_ring_slot(*notes_.ring_slot);
    message_.set_ring_size(notes_.ring_size);
    vip();
    service();
    session();
    ring();
    backend();
    delivery();
    end();
    return message_;
}

}  // namespace

control::Traced put_in_words(const dataplane::Traced& traced, const TraceFacts& facts) {
    return Words(traced, facts).put();
}

}  // namespace bascule::node
