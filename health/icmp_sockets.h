// SPDX-License-Identifier: Apache-2.0
// The raw sockets of all ICMP probes of a process, one a family, opened at their first use, and who
// waits for which answer.
//
// A reply counts when id, sequence, address and token are those of a request under way; an error
// when it quotes one. Thread: that of the io_context. Bounded: one request a sequence number, so
// many packets are read a turn, and the kernel keeps what its buffer holds.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "base/result.h"
#include "health/icmp_message.h"
#include "health/probe.h"

namespace bascule::health {

// How a request ended.
struct EchoEnd {
    bool answered = false;
    std::optional<EchoAnswer> error;  // an ICMP error about it, sent by `sender`
    Address sender;
    int send_errno = 0;  // it could not be sent
    // None of these: nothing has come before the deadline.
};

// Part of ProbeResources.
class IcmpSockets {
public:
    explicit IcmpSockets(boost::asio::io_context& io);
    ~IcmpSockets();

    // Sends an echo request to `to`, from `source` unless that is unspecified, and waits for its
    // answer. Error: there is no socket for it, or too many requests are under way.
    boost::asio::awaitable<Result<EchoEnd>> echo(Address to, Address source,
                                                 Clock::time_point deadline);

private:
    class Family;

    boost::asio::io_context& io_;
    std::shared_ptr<Family> v4_;
    std::shared_ptr<Family> v6_;
};

}  // namespace bascule::health
