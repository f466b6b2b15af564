// SPDX-License-Identifier: Apache-2.0
#include "node/vip_announcer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "node/links.h"

namespace bascule::node {

namespace {

std::uint64_t frames_of(const Address& vip) {
    return vip.is_v4() ? 2 : 1;  // ARP as request and as reply
}

}  // namespace

VipAnnouncer::VipAnnouncer(boost::asio::io_context& io, AnnouncementRow row,
                           std::function<bool()> may)
    : io_(io), row_(std::move(row)), may_(std::move(may)) {}

void VipAnnouncer::start(const Address& vip, const std::string& interface) {
    Row& row = rows_.try_emplace(vip, io_).first->second;
    row.interface = interface;
    row.began = std::chrono::steady_clock::now();
    row.step = 0;
    row.running = true;
    send(vip, row);
    plan_next(vip, row);
}

void VipAnnouncer::once(const Address& vip) {
    const auto found = rows_.find(vip);
    if (found != rows_.end() && found->second.running) send(vip, found->second);
}

void VipAnnouncer::stop(const Address& vip) {
    const auto found = rows_.find(vip);
    if (found == rows_.end()) return;
    found->second.running = false;
    found->second.timer.cancel();
}

std::uint64_t VipAnnouncer::sent(const Address& vip) const {
    const auto found = rows_.find(vip);
    return found == rows_.end() ? 0 : found->second.sent;
}

Result<void> VipAnnouncer::announce(const Address& vip, const std::string& interface) {
    if (!requests_) {
        auto opened = NetlinkRequests::open();
        if (!opened) return failure(std::move(opened.error()));
        requests_ = std::move(*opened);
    }
    const auto link = find_link(*requests_, interface);
    if (!link) return failure(link.error());
    return wire_.announce(*link, vip);
}

void VipAnnouncer::send(const Address& vip, Row& row) {
    const auto done = announce(vip, row.interface);
    if (done) row.sent += frames_of(vip);
    const std::string before = std::exchange(row.problem, done ? "" : done.error().text());
    if (!done && row.problem != before) spdlog::warn("{}", row.problem);
}

void VipAnnouncer::plan_next(const Address& vip, Row& row) {
    if (row.step < row_.after.size())
        row.timer.expires_at(row.began + row_.after[row.step++]);
    else if (row_.every.count() > 0)
        row.timer.expires_after(row_.every);
    else
        return;
    row.timer.async_wait(
        [this, vip, alive = std::weak_ptr(alive_)](const boost::system::error_code& error) {
            if (error || alive.expired()) return;
            const auto found = rows_.find(vip);
            // One that was on its way when the row ended or began anew.
            if (found == rows_.end() || !found->second.running) return;
            if (found->second.timer.expiry() > std::chrono::steady_clock::now()) return;
            if (may_()) send(vip, found->second);
            plan_next(vip, found->second);
        });
}

}  // namespace bascule::node
