// SPDX-License-Identifier: Apache-2.0
// The end of all that a daemon has set up: VIPs, programs, tables, the probes' pair.
#include <spdlog/spdlog.h>

#include "node/daemon.h"
#include "node/probe_path.h"

namespace bascule::node {

namespace {

// Programs and tables, and what belongs to them alone.
Result<void> take_away(const std::string& bpffs) {
    if (auto gone = dataplane::Dataplane::detach_all(bpffs); !gone) return gone;
    return remove_probe_path();
}

}  // namespace

void Daemon::undo_start(const model::Config& config) {
    cluster_.reset();
    worker_.reset();
    checks_.reset();
    vip_duty_->stop();
    for (const auto& vip : config.vips)
        if (auto released = vips_->release(vip.address); !released)
            spdlog::error("{}", released.error().text());
    dataplane_.reset();
    if (auto gone = take_away(options_.bpffs); !gone) spdlog::error("{}", gone.error().text());
}

Result<Detached> Daemon::detach() {
    if (reloading_) return failure("a reload is under way: ask again when it is done");
    Detached detached;
    const auto held = vips_->status();
    // The address first: nothing is drawn here any more when the program goes.
    for (const auto& [address, status] : held) {
        if (auto released = vips_->release(address); !released) {
            vip_duty_->keep(state_->config());
            return failure(std::move(released.error()));
        }
        detached.vips.push_back(address.to_string());
    }
    vip_duty_->stop();
    checks_.reset();
    every_second_.cancel();
    cluster_.reset();
    worker_.reset();
    neighbours_.reset();
    links_.reset();
    for (const auto& attachment : dataplane_->attachments())
        detached.interfaces.push_back(attachment.interface);
    dataplane_.reset();
    if (auto gone = take_away(options_.bpffs); !gone) return failure(std::move(gone.error()));
    return detached;
}

Result<Detached> Daemon::detach_dead(const std::string& bpffs) {
    auto vips = VipKeeper::release_others([](const Address&) { return false; });
    if (!vips) return failure(std::move(vips.error()));
    if (auto gone = take_away(bpffs); !gone) return failure(std::move(gone.error()));
    return Detached{{}, std::move(*vips)};
}

}  // namespace bascule::node
