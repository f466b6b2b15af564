// SPDX-License-Identifier: Apache-2.0
#include "health/diagnose.h"

#include <string>
#include <utility>

#include "health/words.h"

namespace bascule::health {
namespace {

namespace asio = boost::asio;

// As `target`, but of the backend's own address: whether its port answers.
Target own_port(const Target& target) {
    Target own = target;
    own.health.via = model::Via::address;
    own.health.port = target.backend_port != 0  ? target.backend_port
                      : target.health.port != 0 ? target.health.port
                                                : target.vip_port;
    // Any answer will do, so a connection is enough where there is one.
    const model::ProbeType type = target.health.type;
    if (type == model::ProbeType::http || type == model::ProbeType::https ||
        (type == model::ProbeType::dns && target.protocol == model::Protocol::tcp))
        own.health.type = model::ProbeType::tcp;
    if (own.health.type == model::ProbeType::tcp) {
        own.health.send.clear();
        own.health.expect.clear();
        own.health.expect_regex.clear();
    }
    return own;
}

// Whether its host answers ping.
Target own_host(const Target& target) {
    Target own = target;
    own.health.via = model::Via::address;
    own.health.port = 0;
    own.health.type = model::ProbeType::icmp;
    return own;
}

std::string place(const Target& own) {
    const std::string address = own.backend.to_string();
    const std::string port = std::to_string(own.health.port);
    return own.backend.is_v4() ? address + ":" + port : "[" + address + "]:" + port;
}

asio::awaitable<Outcome> ask(asio::io_context& io, ProbeResources& resources, const MakeProbe& make,
                             const Target& own) {
    const auto probe = make(io, resources, own);
    if (!probe) co_return failed(Failure::local, probe.error().text());
    Destination to{own.backend, own.health.port, {}};
    // One for a VIP of the other family, whose packets go through a tunnel, is of no use here.
    if (own.health.source && own.health.source->is_v4() == own.backend.is_v4())
        to.source = *own.health.source;
    co_return co_await (*probe)->run(to, Clock::now() + own.health.timeout);
}

// Something is there that speaks the protocol, whatever it says.
bool answers(const Outcome& outcome) {
    switch (outcome.failure) {
        case Failure::none:
        case Failure::closed:
        case Failure::tls:
        case Failure::certificate:
        case Failure::status:
        case Failure::content:
        case Failure::protocol:
        case Failure::too_big:
            return true;
        case Failure::refused:
        case Failure::unreachable:
        case Failure::timed_out:
        case Failure::path:
        case Failure::local:
            break;
    }
    return false;
}

}  // namespace

asio::awaitable<Outcome> diagnose(asio::io_context& io, ProbeResources& resources,
                                  const MakeProbe& make, Target target, Outcome silent) {
    const Target port = own_port(target);
    const Outcome by_port = co_await ask(io, resources, make, port);
    if (by_port.failure == Failure::local) co_return silent;
    if (answers(by_port)) {
        silent.words = "no answer for the VIP, but " + place(port) +
                       " answers: is the VIP on its loopback, or does a firewall drop it?";
        co_return silent;
    }
    if (by_port.failure == Failure::refused) {
        silent.words = "no answer for the VIP, and " + place(port) +
                       " refuses: its host is there; is the VIP on its loopback, or does a server "
                       "on the VIP alone hang?";
        co_return silent;
    }
    if (by_port.failure != Failure::timed_out) {
        silent.words = "no answer for the VIP; on its own address: " + plain(by_port.words, 120);
        co_return silent;
    }
    const Outcome by_host = co_await ask(io, resources, make, own_host(target));
    if (by_host.ok()) {
        silent.words = "no answer, neither for the VIP nor on " + place(port) +
                       ", though its host answers ping: a firewall drops it";
    } else if (by_host.failure != Failure::local) {
        silent.words = "nothing answers, its host " + target.backend.to_string() + " neither";
    }
    co_return silent;
}

}  // namespace bascule::health
