// SPDX-License-Identifier: Apache-2.0
// The end of all that a daemon has set up: VIPs, its part in the cluster, programs, tables, the
// probes' pair.
#include <spdlog/spdlog.h>

#include "node/daemon.h"
#include "node/probe_path.h"

namespace bascule::node {

namespace asio = boost::asio;

namespace {

// Programs and tables, and what belongs to them alone.
Result<void> take_away(const std::string& bpffs) {
    if (auto gone = dataplane::Dataplane::detach_all(bpffs); !gone) return gone;
    return remove_probe_path();
}

}  // namespace

void Daemon::undo_start() {
    cluster_.reset();
    takers_.end();
    worker_.reset();
    checks_.reset();
    vip_duty_->stop();
    if (auto released = release_all(); !released) spdlog::error("{}", released.error().text());
    dataplane_.reset();
    if (auto gone = take_away(options_.bpffs); !gone) spdlog::error("{}", gone.error().text());
}

// Those of a cluster are nobody's by now, or a peer's; what is left of them is known by its mark.
Result<void> Daemon::release_all() {
    const auto held = vips_->status();
    for (const auto& [address, status] : held)
        if (auto released = vips_->release(address); !released) return released;
    auto others = VipKeeper::release_others([](const Address&) { return false; });
    if (!others) return failure(std::move(others.error()));
    return {};
}

asio::awaitable<Result<Detached>> Daemon::detach() {
    if (reloading_) co_return failure("a reload is under way: ask again when it is done");
    if (detaching_) co_return failure("another detach is under way");
    Detached detached;
    for (const auto& vip : state_->config().vips)
        if (state_->is_held(vip.address)) detached.vips.push_back(vip.address.to_string());
    // Everything stands until the peers have the VIPs and know: others may ask for it meanwhile.
    detaching_ = true;
    co_await leave();
    // The address first: nothing is drawn here any more when the program goes.
    if (auto released = release_all(); !released) {
        detaching_ = false;
        vip_duty_->keep(state_->config());
        if (auto opened = open_cluster(state_->config(), {}); !opened)
            spdlog::error("{}", opened.error().text());
        co_return failure(std::move(released.error()));
    }
    vip_duty_->stop();
    checks_.reset();
    every_second_.cancel();
    watch_programs_.cancel();
    worker_.reset();
    neighbours_.reset();
    links_.reset();
    for (const auto& attachment : dataplane_->attachments())
        detached.interfaces.push_back(attachment.interface);
    dataplane_.reset();
    if (auto gone = take_away(options_.bpffs); !gone) co_return failure(std::move(gone.error()));
    co_return detached;
}

Result<Detached> Daemon::detach_dead(const std::string& bpffs) {
    auto vips = VipKeeper::release_others([](const Address&) { return false; });
    if (!vips) return failure(std::move(vips.error()));
    if (auto gone = take_away(bpffs); !gone) return failure(std::move(gone.error()));
    return Detached{{}, std::move(*vips)};
}

}  // namespace bascule::node
