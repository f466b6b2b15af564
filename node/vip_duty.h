// SPDX-License-Identifier: Apache-2.0
// Which VIPs a node by itself should have, and the steps there: those of the configuration, but
// those of services that give theirs up below their quorum. In a cluster takeover decides who holds
// them (node/cluster_vips), and this one rests.
//
// An address goes before its tables, and comes after them; that order is the caller's. Thread:
// control.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "node/event_log.h"
#include "node/soon.h"
#include "node/state.h"
#include "node/vip_keeper.h"

namespace bascule::node {

class VipDuty {
public:
    VipDuty(boost::asio::io_context& io, VipKeeper& keeper, const State& state, EventLog& events);

    // A cluster decides from now on: what is held, which it returns, is left in place, and looked
    // after no more.
    std::vector<Address> rest();
    // No cluster does any more.
    void wake() { resting_ = false; }

    // Of this configuration: all that this node should have (in a cluster: may have), and those of
    // them it has yet to take (in a cluster: none).
    std::vector<model::VipConfig> wanted(const model::Config& config) const;
    std::vector<model::VipConfig> missing(const model::Config& config) const;
    // Of those to take: the ones that hold() takes, so that they are to be asked for before. What a
    // service has given up may be another host's by now, and rightly: take_back() asks for it.
    std::vector<model::VipConfig> to_hold(const model::Config& config) const;

    // At a start nobody knows what was given up before.
    void begin(const model::Config& config);

    // Lets go of all that it has and should not have with this configuration. Tries all; fails with
    // the first that the kernel keeps.
    Result<void> release_others(const model::Config& config);
    // Takes what is to_hold(). Fails at the first that cannot be had.
    Result<void> hold(const model::Config& config);
    // As hold(); what fails is logged, and tried again.
    void keep(const model::Config& config);

    // As the configuration stands in State, while nobody waits for an outcome: gives up what health
    // takes away, and takes it back, once the network has been asked whether it is free. What fails
    // is tried again, and keeps no other VIP waiting.
    void give_up();
    void take_back();

    // Of one that health takes away: how its services stand that give it up.
    std::string why(const Address& vip) const;
    // Of the configuration in State, and not had for health's sake.
    const std::set<Address>& given_up() const { return given_up_; }
    // Nothing is taken any more.
    void stop();

private:
    boost::asio::awaitable<void> retake(model::VipConfig vip);
    void note_given_up();
    void note_taken();

    boost::asio::io_context& io_;
    VipKeeper& keeper_;
    const State& state_;
    EventLog& events_;
    Soon again_;
    std::set<Address> given_up_;
    std::set<Address> unsure_;                 // since the start: may have been given up before it
    std::set<Address> asking_;                 // whether they are free
    std::map<Address, std::string> problems_;  // of taking back, as last logged
    bool resting_ = false;
    bool stopped_ = false;
};

}  // namespace bascule::node
