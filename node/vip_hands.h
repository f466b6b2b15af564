// SPDX-License-Identifier: Apache-2.0
// What VipHolder does on its thread: the addresses, their leases, announcements and rivals, by the
// newest duties.
//
// A thread that slept (SIGSTOP, a paused machine) may have been replaced meanwhile: for a moment
// after it wakes it neither sets nor announces anything, so that the word to let go comes first.
// Taking away never waits. Thread: that of the io_context.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/links.h"
#include "node/soon.h"
#include "node/vip.h"
#include "node/vip_announcer.h"
#include "node/vip_holder.h"
#include "node/vip_rivals.h"
#include "sync/takeover.h"

namespace bascule::node {

class VipHands {
public:
    struct Callbacks {
        // As VipHolder's; on_report comes when something in it has changed.
        std::function<void(std::vector<sync::VipHolding>)> on_holdings;
        std::function<void(const VipHolderReport&)> on_report;
        std::function<std::vector<VipRival>()> look_for_rivals;
        std::function<void(const std::vector<VipRival>&)> on_rivals{};
    };
    // Who comes so much later than he meant to has slept.
    static constexpr std::chrono::milliseconds usual_nap{200};

    // Throws std::runtime_error when the kernel cannot be watched.
    VipHands(boost::asio::io_context& io, std::vector<model::VipConfig> vips, Callbacks callbacks,
             std::chrono::milliseconds nap = usual_nap);

    void set_duties(std::vector<sync::VipDuty> duties);
    void set_vips(std::vector<model::VipConfig> vips);
    void look_at(const std::string& interface);

private:
    using Time = std::chrono::steady_clock::time_point;
    struct Vip {
        model::VipConfig config;
        std::optional<sync::VipDuty> duty;     // none yet: not touched
        std::optional<sync::VipHolding> told;  // the answer to it
        bool here = false;                     // set by us, and not known to be lost
        bool lost = false;                     // taken away by a stranger; being set again
        std::string problem;
        Time confirmed{};  // before the last request that set or renewed it
        std::uint64_t restored = 0;
        std::deque<Time> losses;  // within `losses_time`
    };

    bool quiet();
    void watch();
    void apply();
    void apply(Vip& vip, const sync::VipDuty& duty);
    void take(Vip& vip);
    bool renew(Vip& vip);
    void release(Vip& vip);
    void drop(Vip& vip);
    void refuse(Vip& vip, std::string problem);
    void answer(Vip& vip);
    void on_lost(const VipLost& lost);
    void on_link(const LinkChange& change);
    void mend();
    void tick();
    void renew();
    void resume();
    void fight();
    void tell_rivals(Time now);
    void tell();
    void report();

    Callbacks callbacks_;
    const std::chrono::milliseconds nap_;
    std::unique_ptr<VipAddresses> addresses_;
    std::unique_ptr<LinkWatch> links_;
    VipAnnouncer announcer_;
    VipRivals rivals_;
    Soon mend_soon_;
    boost::asio::steady_timer ticks_;
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // of handlers
    std::vector<sync::VipDuty> duties_;
    std::map<sync::VipId, Vip> vips_;
    std::vector<sync::VipHolding> told_;
    VipHolderReport reported_;
    Time seen_;  // when this thread last ran
    Time quiet_until_{};
    bool was_quiet_ = false;
    Time next_renewal_{};
};

}  // namespace bascule::node
