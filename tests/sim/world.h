// SPDX-License-Identifier: Apache-2.0
// One history: nodes, what clients, operators and the network do to them for a
// while; then all heals, and the nodes have to come together. The same plan,
// the same history.
#pragma once

#include <memory>
#include <ostream>
#include <vector>

#include "sim/judge.h"
#include "sim/node.h"
#include "sim/paths.h"
#include "sim/recorder.h"
#include "sim/streams.h"
#include "sim/vip_judge.h"

namespace bascule::sim {

class World final : public Surroundings, public VipEvents {
public:
    // `shown`: where to tell what happens; nullptr: nowhere.
    explicit World(const Plan& plan, std::ostream* shown = nullptr);

    // Throws Violation.
    void run();

    std::uint64_t steps() const { return steps_; }
    Time now() const { return schedule_.now(); }

    void send(std::size_t from, std::size_t to, std::size_t path,
              const sync::Heartbeat& heartbeat) override;
    void on_change(std::size_t node, const sync::MembershipChange& change) override;
    void on_stream_answer() override { judge_.on_stream_answer(); }
    void say(const std::string& what) override;
    void on_duties(std::size_t node, std::span<const sync::VipDuty> duties) override;
    void on_announced(std::size_t node, std::size_t vip) override;
    void on_vip_move(std::size_t node, const sync::VipMove& move) override;
    bool is_shown() const override { return shown_ != nullptr; }

private:
    friend class Troubles;
    friend class Clients;
    friend class VipTroubles;
    friend class CalmLife;

    void deliver(std::size_t from, std::size_t to, std::size_t path,
                 const std::shared_ptr<const sync::Heartbeat>& heartbeat);
    void run_until(Time end);
    void come_together();
    std::string still_apart() const;
    std::string on_its_way() const;
    void live_calmly();

    const Plan plan_;
    std::ostream* shown_;
    Schedule schedule_;
    Random random_;
    Truth truth_;
    Paths paths_;
    Streams streams_;
    Nodes nodes_;
    Judge judge_;
    VipJudge vip_judge_;
    Recorder recorder_;
    std::vector<std::size_t> waiting_;  // datagrams in the sockets of each node
    std::uint64_t steps_ = 0;
    std::uint64_t sent_ = 0;
};

}  // namespace bascule::sim
