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

void add_change(std::vector<MembershipChange>& changes, MembershipChange change,
                std::uint64_t& lost) {
    changes.push_back(std::move(change));
    if (changes.size() <= most_changes) return;
    // There are fewer peers than places, so one has two of them.
    const auto outdated = std::find_if(changes.begin(), changes.end(), [&](const auto& one) {
        return std::any_of(changes.data() + (&one - changes.data()) + 1,
                           changes.data() + changes.size(),
                           [&](const auto& later) { return later.peer == one.peer; });
    });
    changes.erase(outdated);
    ++lost;
}

}  // namespace bascule::sync
