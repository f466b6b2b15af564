// SPDX-License-Identifier: Apache-2.0
#include "node/vip_answers.h"

#include <algorithm>
#include <chrono>

namespace bascule::node {

namespace {

using control::VipNode;
using sync::Moment;
using sync::VipRole;

std::uint64_t seconds_since(Moment since, Moment now) {
    if (since == Moment{} || since > now) return 0;
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(now - since).count());
}

VipNode::Role role_of(VipRole role) {
    switch (role) {
        case VipRole::fit:
            return VipNode::ROLE_FIT;
        case VipRole::ready:
            return VipNode::ROLE_READY;
        case VipRole::holding:
            return VipNode::ROLE_HOLDING;
        case VipRole::offering:
            return VipNode::ROLE_OFFERING;
        case VipRole::unfit:
            break;
    }
    return VipNode::ROLE_UNFIT;
}

std::string given_up(const Daemon& daemon, const Address& vip) {
    return "given up: " + daemon.vip_duty().why(vip);
}

class Filling {
public:
    explicit Filling(const Daemon& daemon)
        : daemon_(daemon),
          config_(daemon.state().config()),
          facts_(gather_vip_facts(daemon)),
          now_(facts_.now) {}

    void fill(control::Vip& message, const model::VipConfig& vip) const {
        message.set_address(vip.address.to_string());
        message.set_interface(vip.interface);
        if (const auto link = daemon_.links().get(vip.interface))
            message.set_service_mac(link->mac.to_string());
        if (!daemon_.state().wants_vip(vip.address))
            message.set_problem(given_up(daemon_, vip.address));
        if (facts_.heartbeats == nullptr) return fill_alone(message, vip);
        fill_held(message, vip);
        fill_rivals(message, vip);
        const sync::VipView* view = find_view(facts_, vip.address);
        fill_nodes(message, vip, view);
        if (view != nullptr) fill_view(message, *view);
    }

private:
    void fill_alone(control::Vip& message, const model::VipConfig& vip) const {
        const auto& known = daemon_.vips().status();
        const auto found = known.find(vip.address);
        if (found == known.end()) return;
        message.set_held(found->second.held);
        if (!found->second.problem.empty()) message.set_problem(found->second.problem);
    }

    void fill_held(control::Vip& message, const model::VipConfig& vip) const {
        for (const auto& held : facts_.vips->holder.vips) {
            if (held.vip != vip.address) continue;
            if (!held.problem.empty()) message.set_problem(held.problem);
            message.set_announced(held.announced);
            message.set_restored(held.restored);
        }
    }

    void fill_rivals(control::Vip& message, const model::VipConfig& vip) const {
        for (const auto& rival : facts_.vips->rivals) {
            if (rival.vip != vip.address) continue;
            auto* told = message.add_rivals();
            told->set_mac(rival.mac.to_string());
            told->set_interface(rival.interface);
            told->set_count(rival.count);
            told->set_seconds_ago(seconds_since(rival.last, now_));
        }
    }

    void fill_view(control::Vip& message, const sync::VipView& view) const {
        message.set_held(has_it(view.role));
        message.set_holder(view.holder);
        if (view.holders.size() > 1)
            for (const auto& name : view.holders)
                message.add_holders(name);
        message.set_next(view.next);
        message.set_next_ready(view.next_ready);
        message.set_moved(view.moved);
        message.set_epoch(view.holder.empty() ? view.epoch : view.holder_epoch);
        message.set_waits(view.waits);
        if (has_it(view.role)) message.set_held_seconds(seconds_since(view.since, now_));
    }

    // All of the configuration, heard or not.
    void fill_nodes(control::Vip& message, const model::VipConfig& vip,
                    const sync::VipView* view) const {
        for (const auto& node : config_.cluster->nodes) {
            auto* told = message.add_nodes();
            told->set_name(node.name);
            told->set_priority(config_.cluster->priority_of(node.name, vip));
            if (view == nullptr) continue;
            if (node.name == facts_.self) told->set_why(why_unfit(vip, *view));
            const auto said =
                std::find_if(view->nodes.begin(), view->nodes.end(),
                             [&](const auto& each) { return each.name == node.name; });
            if (said == view->nodes.end()) continue;
            told->set_role(role_of(said->role));
            told->set_priority(said->priority);
            told->set_epoch(said->epoch);
        }
    }

    // In the words of who knows more than takeover does.
    std::string why_unfit(const model::VipConfig& vip, const sync::VipView& view) const {
        if (view.unfit.empty()) return {};
        if (!daemon_.state().wants_vip(vip.address)) return given_up(daemon_, vip.address);
        const auto link = daemon_.links().get(vip.interface);
        if (!link) return "there is no interface " + vip.interface;
        if (!link->carrier) return vip.interface + " has no carrier";
        return view.unfit;
    }

    const Daemon& daemon_;
    const model::Config& config_;
    VipFacts facts_;
    Moment now_;
};

}  // namespace

VipFacts gather_vip_facts(const Daemon& daemon) {
    VipFacts facts;
    facts.now = std::chrono::steady_clock::now();
    const model::Config& config = daemon.state().config();
    facts.self = config.node.name;
    if (!config.cluster || daemon.cluster() == nullptr) return facts;
    const ClusterView& view = daemon.cluster()->view();
    for (const auto& peer : view.peers)
        facts.peers.push_back(peer.name);
    facts.paths = config.cluster->nodes.front().addresses.size();
    facts.heartbeats = &view.heartbeats;
    facts.vips = &daemon.cluster()->vips();
    return facts;
}

void fill_vips(google::protobuf::RepeatedPtrField<control::Vip>& messages, const Daemon& daemon) {
    const Filling filling(daemon);
    for (const auto& vip : daemon.state().config().vips)
        filling.fill(*messages.Add(), vip);
}

void fill_witnesses(google::protobuf::RepeatedPtrField<control::Witness>& messages,
                    const Daemon& daemon) {
    if (daemon.cluster() == nullptr) return;
    const auto now = std::chrono::steady_clock::now();
    for (const auto& witness : daemon.cluster()->vips().witnesses) {
        auto* message = messages.Add();
        message->set_address(witness.address.to_string());
        message->set_answers(witness.answers);
        message->set_since_seconds(seconds_since(witness.since, now));
        if (witness.answered > 0)
            message->set_rtt_ms(std::chrono::duration<double, std::milli>(witness.rtt).count());
    }
}

control::Vips make_vips(const Daemon& daemon) {
    control::Vips vips;
    const model::Config& config = daemon.state().config();
    fill_vips(*vips.mutable_vips(), daemon);
    fill_witnesses(*vips.mutable_witnesses(), daemon);
    vips.set_node(config.node.name);
    vips.set_in_cluster(config.cluster && daemon.cluster() != nullptr);
    if (!vips.in_cluster()) return vips;
    vips.set_failback(model::name_of(config.cluster->failback));
    vips.set_failback_delay_ms(
        std::chrono::duration<double, std::milli>(config.cluster->failback_delay).count());
    return vips;
}

}  // namespace bascule::node
