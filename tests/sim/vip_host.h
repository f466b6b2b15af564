// SPDX-License-Identifier: Apache-2.0
// What a host's kernel knows of VIPs, whether a daemon runs or not: addresses
// with their leases, deadlines, carrier, and whether a program is attached that
// heeds the deadlines.
#pragma once

#include <utility>
#include <vector>

#include "sim/plan.h"
#include "sync/moment.h"

namespace bascule::sim {

class VipHost {
public:
    explicit VipHost(std::size_t vips) : vips_(vips) {}

    // An address that is there lives until then.
    void add(std::size_t vip, sync::Moment lease) {
        vips_[vip].here = true;
        vips_[vip].lease = lease;
    }
    void remove(std::size_t vip) { vips_[vip].here = false; }
    // `promise`: how long it was at the moment.
    void set_deadline(std::size_t vip, sync::Moment until, sync::Nanoseconds promise, bool yields) {
        vips_[vip].deadline = until;
        vips_[vip].promise = promise;
        vips_[vip].yields = yields;
    }
    // Another host announces the VIP on its link.
    void hear_announcement(std::size_t vip) {
        Vip& it = vips_[vip];
        if (attached_ && it.carrier && std::exchange(it.yields, false))
            it.deadline = sync::Moment::min();
    }
    void set_carrier(std::size_t vip, bool carrier) { vips_[vip].carrier = carrier; }
    void attach(bool attached) { attached_ = attached; }
    void see_witness(bool seen) { sees_witness_ = seen; }
    void lose_power() {
        for (Vip& vip : vips_)
            vip = {.carrier = vip.carrier};
        attached_ = false;
    }

    bool has(std::size_t vip, sync::Moment now) const {
        return vips_[vip].here && now < vips_[vip].lease;
    }
    // Who asks for the VIP on its link is answered by this host.
    bool is_found(std::size_t vip, sync::Moment now) const {
        const bool kept_quiet = attached_ && now > vips_[vip].deadline;
        return has(vip, now) && vips_[vip].carrier && !kept_quiet;
    }
    bool yields(std::size_t vip) const { return vips_[vip].yields; }
    sync::Nanoseconds promise(std::size_t vip) const { return vips_[vip].promise; }
    bool carrier(std::size_t vip) const { return vips_[vip].carrier; }
    bool is_attached() const { return attached_; }
    bool sees_witness() const { return sees_witness_; }

private:
    struct Vip {
        bool here = false;
        bool carrier = true;
        sync::Moment lease{};
        sync::Moment deadline = sync::Moment::min();
        sync::Nanoseconds promise{0};
        bool yields = false;
    };
    std::vector<Vip> vips_;
    bool attached_ = false;
    bool sees_witness_ = true;
};

}  // namespace bascule::sim
