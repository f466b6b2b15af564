// SPDX-License-Identifier: Apache-2.0
#include "sync/heartbeat_mail.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace bascule::sync {

WakeUp::WakeUp() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!fd_) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void WakeUp::ring() const {
    // Fails only when it has been rung 2^64 times and nobody came.
    [[maybe_unused]] const auto done = ::eventfd_write(fd_.get(), 1);
}

void WakeUp::clear() const {
    eventfd_t count = 0;
    [[maybe_unused]] const auto done = ::eventfd_read(fd_.get(), &count);
}

namespace {

// There are fewer peers and VIPs than places, so one has two of them.
template <typename T, typename Subject>
void lose_outdated(std::vector<T>& all, Subject T::*subject) {
    const auto outdated = std::find_if(all.begin(), all.end(), [&](const T& one) {
        return std::any_of(all.data() + (&one - all.data()) + 1, all.data() + all.size(),
                           [&](const T& later) { return later.*subject == one.*subject; });
    });
    all.erase(outdated);
}

}  // namespace

void add_change(std::vector<MembershipChange>& changes, MembershipChange change,
                std::uint64_t& lost) {
    changes.push_back(std::move(change));
    if (changes.size() <= most_changes) return;
    lose_outdated(changes, &MembershipChange::peer);
    ++lost;
}

void add_move(std::vector<VipMove>& moves, VipMove move, std::uint64_t& lost) {
    moves.push_back(std::move(move));
    if (moves.size() <= most_moves) return;
    lose_outdated(moves, &VipMove::vip);
    ++lost;
}

bool VipOrders::put(VipId vip) {
    const std::uint64_t order = given | vip;
    for (std::atomic<std::uint64_t>& place : places_) {
        std::uint64_t there = 0;
        if (place.compare_exchange_strong(there, order, std::memory_order_acq_rel)) return true;
        if (there == order) return true;
    }
    return false;
}

std::vector<VipId> VipOrders::take() {
    std::vector<VipId> out;
    for (std::atomic<std::uint64_t>& place : places_) {
        const std::uint64_t order = place.exchange(0, std::memory_order_acq_rel);
        if (order != 0) out.push_back(static_cast<VipId>(order));
    }
    return out;
}

}  // namespace bascule::sync
