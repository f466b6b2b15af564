// SPDX-License-Identifier: Apache-2.0
// What node/vip_holder.h does, in simulated time: carries duties out a little
// later, by leases, and announces in a row. It dies with its daemon and leaves
// the addresses where they are.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "sim/plan.h"
#include "sim/random.h"
#include "sim/schedule.h"
#include "sim/vip_host.h"
#include "sync/takeover.h"

namespace bascule::sim {

// Of a VIP by its place among the configured ones, and back; 0 is no id.
inline sync::VipId id_of(std::size_t vip) {
    return static_cast<sync::VipId>(vip + 1);
}
inline std::size_t vip_of(sync::VipId id) {
    return id - 1;
}

inline constexpr Time most_hand_delay = 20ms;

// What befalls the hands of one host; outlives a run.
struct HandsTrouble {
    bool hang = false;
    bool refuse = false;
    Time well_since{0};  // or since when it is as it is
    bool is_well() const { return !hang && !refuse; }
};

class VipHands {
public:
    struct Around {
        const Plan& plan;
        Random& random;
        VipHost& host;
        const HandsTrouble& trouble;
        std::function<void(Time, Schedule::Action)> later;  // while this run lasts
        std::function<sync::Moment()> now;
        std::function<void(std::vector<sync::VipHolding>)> answer;
        std::function<void(std::size_t vip)> announced;
    };
    explicit VipHands(Around around);

    void set_duties(std::vector<sync::VipDuty> duties);
    // A stranger has taken the address away; it is mended.
    void mend() { want_work(Time(around_.random.between(0, Time(100ms).count()))); }

private:
    struct Row {
        sync::Epoch epoch = 0;
        std::uint64_t announcements = 0;
        std::uint64_t number = 0;  // of rows that were begun
    };
    void want_work(Time span);
    void work();
    void renew();
    void carry_out(const sync::VipDuty& duty, std::vector<sync::VipHolding>& holdings);
    void announce(std::size_t vip, std::uint64_t row, std::size_t step);

    Around around_;
    std::vector<sync::VipDuty> duties_;
    std::map<std::size_t, Row> rows_;
    std::optional<sync::Moment> due_;
    bool hung_ = false;  // when something was to be done last
};

}  // namespace bascule::sim
