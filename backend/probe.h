// SPDX-License-Identifier: Apache-2.0
// What the self-test does to the host: frames that arrive by an interface as if from the wire, and
// a look at what the host sends, at what a server listens on, and at what a program makes of a
// packet. Nothing of it reaches the network but the host's own answers.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "backend/config.h"
#include "backend/netlink.h"
#include "backend/packets.h"
#include "base/descriptor.h"
#include "base/result.h"

namespace bascule::backend {

class Injector {
public:
    // Frames go through the program with this id, 0: through one that passes everything.
    static Result<Injector> open(std::uint32_t program_id);
    // As if it had arrived there. An error where the driver cannot take such frames.
    Result<void> inject(std::uint32_t ifindex, const Bytes& frame);

private:
    explicit Injector(Descriptor program) : program_(std::move(program)) {}
    Descriptor program_;
};

// Whether the host answers on the interface when asked who has `target`, each question after the
// other; waits so long for an answer.
Result<bool> is_answered(Injector& injector, const Link& link, const Address& target,
                         std::chrono::milliseconds limit);

// Whether an IP packet for a UDP socket on `vip` gets there when its frame arrives on the
// interface. `make_frame` is given the socket's port and the payload.
Result<bool> arrives(
    Injector& injector, std::uint32_t ifindex, const Address& vip,
    const std::function<Bytes(std::uint16_t port, const Bytes& payload)>& make_frame,
    std::chrono::milliseconds limit);

// Whether somebody on this host serves that address and port.
Result<bool> is_served(const Address& address, Protocol protocol, std::uint16_t port,
                       std::chrono::milliseconds limit);

// The frame as the egress program of that id lets it go on.
Result<Bytes> run_egress(std::uint32_t program_id, const Bytes& frame);

}  // namespace bascule::backend
