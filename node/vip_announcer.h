// SPDX-License-Identifier: Apache-2.0
// Tells the network again and again where VIPs are: announcements get lost, so each VIP has a row
// of them at growing distances. Thread: that of the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "node/address_probe.h"
#include "node/netlink.h"

namespace bascule::node {

struct AnnouncementRow {
    std::vector<std::chrono::milliseconds> after;  // since the first of them, rising
    std::chrono::milliseconds every{0};  // and so often after the last of these; 0: no more
};

class VipAnnouncer {
public:
    // `may` is asked before each but the first of a row: while it says no, none is sent, and the
    // row goes on.
    explicit VipAnnouncer(
        boost::asio::io_context& io, AnnouncementRow row,
        std::function<bool()> may = [] { return true; });

    // The row from its start, of which the first comes at once. What cannot be sent (no carrier) is
    // logged when its reason changes, and is no reason to end the row.
    void start(const Address& vip, const std::string& interface);
    // One more beside its row, at once; nothing when it has none.
    void once(const Address& vip);
    // Ends the row. sent() stays.
    void stop(const Address& vip);
    // Forgets all of it.
    void forget(const Address& vip) { rows_.erase(vip); }

    // Frames, since its first start().
    std::uint64_t sent(const Address& vip) const;

private:
    struct Row {
        explicit Row(boost::asio::io_context& io) : timer(io) {}

        std::string interface;
        std::chrono::steady_clock::time_point began{};
        std::size_t step = 0;  // the next one
        bool running = false;
        std::uint64_t sent = 0;
        std::string problem;
        boost::asio::steady_timer timer;
    };

    void send(const Address& vip, Row& row);
    Result<void> announce(const Address& vip, const std::string& interface);
    void plan_next(const Address& vip, Row& row);

    boost::asio::io_context& io_;
    const AnnouncementRow row_;
    const std::function<bool()> may_;
    AddressAnnouncer wire_;
    std::optional<NetlinkRequests> requests_;  // opened at the first use
    std::map<Address, Row> rows_;
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // of handlers
};

}  // namespace bascule::node
