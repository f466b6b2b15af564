// SPDX-License-Identifier: Apache-2.0
// The connected UDP socket of one probe's run, and ICMP errors about what it has sent, in words.
//
// Thread: that of the io_context. A datagram is read whole, one at a time: at most 64 KiB.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "health/outcome.h"
#include "health/probe.h"
#include "health/target.h"

namespace bascule::health {

class DatagramSocket {
public:
    // Of `target`: how the server is called in words. It has to stay.
    DatagramSocket(boost::asio::io_context& io, const Target& target);

    // Nothing: well. Else why not.
    std::optional<Outcome> open(const Destination& to);
    std::optional<Outcome> send(std::string_view datagram);

    struct Received {
        std::optional<std::string> datagram;
        std::optional<Outcome> fault;  // neither: nothing has come before the deadline
    };
    boost::asio::awaitable<Received> receive(Clock::time_point deadline);

private:
    // What is there already; nothing: nothing.
    std::optional<Received> take();
    Outcome fault(int code);
    std::optional<Outcome> icmp_fault();

    boost::asio::ip::udp::socket socket_;
    boost::asio::steady_timer timer_;
    const Target& target_;
    Destination to_;
};

}  // namespace bascule::health
