// SPDX-License-Identifier: Apache-2.0
#include "node/vip_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <tuple>

namespace bascule::node {

namespace {

using namespace std::chrono_literals;
using Level = Finding::Level;
using sync::VipRole;

// Takeovers take milliseconds; what is told has not ended by itself.
constexpr auto holder_patience = 1s;
constexpr auto next_patience = 3s;  // as long as a peer may be out of step
constexpr std::size_t most_named = 3;

std::string some(const std::vector<std::string>& names) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), most_named); ++i)
        text += (i == 0 ? "" : ", ") + names[i];
    if (names.size() > most_named) text += fmt::format(" and {} more", names.size() - most_named);
    return text;
}

bool lasts(const Since& since, std::chrono::nanoseconds time, sync::Moment now) {
    return since && now - *since >= time;
}

// Of a node that could not take it, or not well; empty: it could.
std::string why_not(const sync::VipView& view, const std::string& name) {
    const auto node = std::find_if(view.nodes.begin(), view.nodes.end(),
                                   [&](const auto& each) { return each.name == name; });
    if (node == view.nodes.end()) return name + " says nothing of it";
    if (node->role == VipRole::fit) return name + " is not in step";
    if (has_it(node->role)) return name + " has it, too";
    if (node->role == VipRole::unfit) return name + " cannot hold it (`bascule status` there)";
    return {};
}

std::string why_not(const sync::VipView& view, const std::string& name,
                    const sync::PeerView& peer) {
    if (peer.liveness == sync::Liveness::unknown) return name + " has not been heard of";
    if (peer.liveness == sync::Liveness::dead) return name + " is dead";
    if (peer.incompatible) return name + " runs a release that is too new";
    return why_not(view, name);
}

class Finder {
public:
    explicit Finder(const VipFacts& facts) : facts_(facts), vips_(*facts.vips) {}

    std::vector<Finding> find() {
        for (const auto& vip : vips_.vips) {
            const sync::VipView* view = find_view(facts_, vip.address);
            const auto notes = vips_.notes.find(vip.address);
            if (view != nullptr && notes != vips_.notes.end())
                find_vip(vip.address.to_string(), *view, notes->second);
        }
        find_held();
        find_rivals();
        find_witnesses();
        find_disk();
        return told();
    }

private:
    // "{before}VIP a, b{after}", of all VIPs of which the same is said.
    using Key = std::tuple<Level, std::string, std::string, std::string>;

    void add(Level level, std::string before, const std::string& vip, std::string after,
             std::string mend = {}) {
        Key key(level, std::move(before), std::move(after), std::move(mend));
        const auto known = vips_by_words_.find(key);
        if (known == vips_by_words_.end()) order_.push_back(key);
        vips_by_words_[key].push_back(vip);
    }
    void add(Level level, std::string what, std::string mend = {}) {
        alone_.push_back({level, std::move(what), std::move(mend)});
    }
    std::vector<Finding> told() {
        std::vector<Finding> found;
        for (const Key& key : order_) {
            const auto& [level, before, after, mend] = key;
            found.push_back(
                {level, fmt::format("{}VIP {}{}", before, some(vips_by_words_[key]), after), mend});
        }
        found.insert(found.end(), alone_.begin(), alone_.end());
        return found;
    }

    void find_vip(const std::string& vip, const sync::VipView& view, const VipNotes& notes) {
        if (notes.two) {
            if (lasts(notes.two, holder_patience, facts_.now))
                add(Level::problem, in_words(view.holders) + " hold ", vip, " at once",
                    "the paths between them: `bascule show peers`");
            return;
        }
        if (notes.nobody) {
            if (lasts(notes.nobody, holder_patience, facts_.now))
                add(Level::problem, "nobody holds ", vip, because(view));
            return;
        }
        if (lasts(notes.no_next, next_patience, facts_.now)) find_next(vip, view);
        if (lasts(notes.waits, next_patience, facts_.now) && view.holder != facts_.self)
            add(Level::notice, "this node would take ", vip,
                fmt::format(" from {}, and waits: {}", view.holder, view.waits),
                view.moved ? "bascule failover " + vip : "");
    }

    void find_next(const std::string& vip, const sync::VipView& view) {
        if (view.next.empty())
            return add(Level::problem,
                       fmt::format("if {} died now nobody would hold ", view.holder), vip,
                       because(view), "bascule show vips");
        add(Level::problem, fmt::format("if {} died now {} would take ", view.holder, view.next),
            vip, fmt::format(", and connections would break: {} is not in step", view.next),
            "bascule show peers");
    }

    std::string because(const sync::VipView& view) const {
        const std::string why = why_nobody(facts_, view);
        return why.empty() ? "" : ": " + why;
    }

    // What keeps this host from having an address that it should have.
    void find_held() {
        for (const auto& held : vips_.holder.vips)
            if (!held.problem.empty())
                add(Level::problem, fmt::format("VIP {} on {}: {}", held.vip.to_string(),
                                                held.interface, held.problem));
    }

    void find_rivals() {
        for (const auto& rival : vips_.rivals) {
            const auto notes = vips_.notes.find(rival.vip);
            if (notes != vips_.notes.end() && notes->second.two) continue;
            add(Level::problem, in_words(rival));
        }
    }

    void find_witnesses() {
        const auto& all = vips_.witnesses;
        for (const auto& witness : all)
            if (!witness.answers)
                add(vips_.witness ? Level::notice : Level::problem,
                    fmt::format("witness {} does not answer{}{}", witness.address.to_string(),
                                witness.problem.empty() ? "" : ": ", witness.problem),
                    vips_.witness ? ""
                                  : "while none answers this node gives its VIPs to a peer that "
                                    "still sees one, or that is silent");
        if (all.empty() && facts_.paths < 2)
            add(Level::notice,
                "the nodes hear each other by one path, and there is no witness: when it fails "
                "each of them holds the VIPs",
                "a second address for each [[cluster.node]], or `witness` in [cluster]");
    }

    void find_disk() {
        if (!vips_.epoch_problem.empty()) add(Level::problem, vips_.epoch_problem);
        if (vips_.deadlines_fail)
            add(Level::problem,
                "XDP cannot be told until when this node's VIPs are found by ARP and neighbour "
                "discovery");
    }

    const VipFacts& facts_;
    const ClusterVipsView& vips_;
    std::vector<Key> order_;
    std::map<Key, std::vector<std::string>> vips_by_words_;
    std::vector<Finding> alone_;
};

}  // namespace

std::vector<Finding> vip_findings(const VipFacts& facts) {
    return facts.heartbeats == nullptr ? std::vector<Finding>{} : Finder(facts).find();
}

std::string in_words(const VipRival& rival) {
    const std::string mend = rival.vip.is_v4()
                                 ? "put it on lo, with sysctl net.ipv4.conf.all.arp_ignore=1 and "
                                   "net.ipv4.conf.all.arp_announce=2"
                                 : "put it on lo, as a /128";
    return fmt::format(
        "VIP {} is claimed by another host: {} answers for it on {} ({} {}). If that is a real "
        "server of yours, it must keep silent about the VIP: {}",
        rival.vip.to_string(), rival.mac.to_string(), rival.interface, rival.count,
        rival.count == 1 ? "frame" : "frames", mend);
}

const sync::VipView* find_view(const VipFacts& facts, const Address& vip) {
    const auto& views = facts.heartbeats->vips;
    const auto found = std::find_if(views.begin(), views.end(), [&](const auto& view) {
        return view.vip == sync::vip_id(vip);
    });
    return found == views.end() ? nullptr : &*found;
}

std::string why_nobody(const VipFacts& facts, const sync::VipView& view) {
    std::vector<std::string> reasons;
    const auto add = [&](const std::string& why) {
        if (!why.empty()) reasons.push_back(why);
    };
    if (view.holder != facts.self)
        add(!view.unfit.empty()         ? "this node: " + view.unfit
            : view.holder.empty()       ? (view.waits.empty() ? "" : "this node: " + view.waits)
            : view.role == VipRole::fit ? "this node is not in step"
                                        : "");
    for (std::size_t i = 0; i < facts.peers.size() && i < facts.heartbeats->peers.size(); ++i)
        if (facts.peers[i] != view.holder)
            add(why_not(view, facts.peers[i], facts.heartbeats->peers[i]));
    return some(reasons);
}

Result<void> may_move(const VipFacts& facts, const sync::VipView& view) {
    if (has_it(view.role)) {
        if (!view.next.empty() && view.next_ready) return {};
        return failure("no other node can take it: " + why_nobody(facts, view));
    }
    if (!view.unfit.empty()) return failure("this node cannot take it: " + view.unfit);
    if (view.role != VipRole::ready)
        return failure(
            "this node cannot take it: its sessions are not in step (`bascule show peers`)");
    return {};
}

}  // namespace bascule::node
