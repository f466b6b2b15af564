// SPDX-License-Identifier: Apache-2.0
#include "sim/node_vips.h"

#include <algorithm>
#include <utility>

namespace bascule::sim {
namespace {

// What the control thread needs to find something out, and to say it.
constexpr Time most_control_delay = 20ms;
constexpr Time report_every = 100ms;
constexpr sync::Epoch block = 1024;  // of epochs that are reserved on disk
constexpr Time handing_over = 1s;

}  // namespace

NodeVips::NodeVips(Around around, std::vector<std::string> peers, sync::Membership& membership)
    : around_(std::move(around)),
      membership_(membership),
      hands_(hands()),
      vips_(options(), std::move(peers), callbacks(), around_.now()),
      began_(around_.now()) {
    around_.host.disk += block;
    around_.host.kernel.attach(true);
    wake_control();
    around_.later(report_every, [this] { report(); });
}

sync::TakeoverOptions NodeVips::options() const {
    sync::TakeoverOptions options;
    options.self = "lb" + std::to_string(around_.index + 1);
    options.interval = around_.plan.interval;
    options.dead_after = around_.plan.dead_after;
    options.failback = around_.plan.failback;
    options.failback_delay = around_.plan.failback_delay;
    options.listen = around_.plan.listen();
    options.epoch_floor = around_.host.disk;
    for (std::size_t vip = 0; vip < around_.plan.vips; ++vip)
        options.vips.push_back({id_of(vip), around_.host.priorities[vip]});
    return options;
}

sync::HeartbeatPort::Callbacks NodeVips::callbacks() {
    sync::HeartbeatPort::Callbacks callbacks;
    callbacks.on_duties = [this](std::vector<sync::VipDuty> duties) {
        around_.events.on_duties(around_.index, duties);
        hands_.set_duties(std::move(duties));
    };
    callbacks.set_deadlines = [this](auto deadlines) { set_deadlines(deadlines); };
    return callbacks;
}

void NodeVips::set_deadlines(std::span<const sync::VipDeadline> deadlines) {
    const sync::Moment now = around_.now();
    for (const sync::VipDeadline& deadline : deadlines) {
        const bool none = deadline.until == sync::Moment::min();
        if (none && around_.plan.breakage == Breakage::found_for_ever) continue;
        const auto promise = none ? sync::Nanoseconds(0) : deadline.until - now;
        const auto longer =
            around_.plan.breakage == Breakage::late_deadline ? 4 * promise : Time(0);
        around_.host.kernel.set_deadline(vip_of(deadline.vip), deadline.until + longer, promise,
                                         deadline.yields);
    }
}

VipHands::Around NodeVips::hands() {
    return {
        .plan = around_.plan,
        .random = around_.random,
        .host = around_.host.kernel,
        .trouble = around_.host.hands,
        .later = around_.later,
        .now = around_.now,
        .answer =
            [this](std::vector<sync::VipHolding> holdings) {
                inbox_.holdings.put(
                    std::make_unique<std::vector<sync::VipHolding>>(std::move(holdings)));
                mail();
            },
        .announced = [this](std::size_t vip) { around_.events.on_announced(around_.index, vip); }};
}

// ---- mail ----

void NodeVips::mail() {
    if (std::exchange(mail_due_, true)) return;
    const Time ring(around_.random.between(0, Time(100us).count()));
    around_.later(ring, [this] { around_.turn(); });
}

void NodeVips::read() {
    mail_due_ = false;
    vips_.read(inbox_);
    if (const auto facts = inbox_.facts.take()) membership_.set_facts(*facts);
}

// ---- the control thread ----

void NodeVips::report() {
    sync::HeartbeatReport report;
    vips_.add_to(report);
    for (const sync::VipMove& move : report.moves)
        around_.events.on_vip_move(around_.index, move);
    if (report.highest_epoch + block / 2 > around_.host.disk)
        around_.host.disk = report.highest_epoch + block;
    views_ = std::move(report.vips);
    control();
    around_.later(report_every, [this] { this->report(); });
}

void NodeVips::wake_control() {
    if (std::exchange(control_due_, true)) return;
    around_.later(Time(around_.random.between(0, most_control_delay.count())), [this] {
        control_due_ = false;
        control();
    });
}

void NodeVips::control() {
    VipHost& kernel = around_.host.kernel;
    if (!kernel.is_attached() && !std::exchange(mending_program_, true)) {
        around_.later(Time(around_.random.between(0, Time(1500ms).count())), [this] {
            mending_program_ = false;
            around_.host.kernel.attach(true);
            wake_control();
        });
    }
    say();
}

void NodeVips::say() {
    const VipHost& kernel = around_.host.kernel;
    const bool listened = around_.now() - began_ >= around_.plan.listen();
    sync::OwnFitness fitness;
    fitness.attached = kernel.is_attached();
    fitness.hears = around_.host.hears || around_.plan.breakage == Breakage::early_ear;
    fitness.witness = !around_.plan.witness || kernel.sees_witness() ||
                      around_.plan.breakage == Breakage::blind_witness;
    fitness.synced = around_.in_step() || (membership_.alone() && listened) ||
                     around_.plan.breakage == Breakage::always_in_step;
    fitness.leaving = leaving_;
    for (std::size_t vip = 0; vip < around_.plan.vips; ++vip)
        fitness.vips.push_back(
            {.vip = id_of(vip),
             .wanted = true,
             .carrier = kernel.carrier(vip) || around_.plan.breakage == Breakage::eternal_carrier});
    const std::uint64_t digest = around_.digest();
    if (said_ == fitness && said_digest_ == digest && !parting_) return;
    said_ = fitness;
    said_digest_ = digest;
    sync::NodeFacts facts;
    facts.attached = facts.links_up = fitness.attached;
    facts.witness = fitness.witness;
    facts.synced = fitness.synced;
    facts.leaving = parting_;
    facts.shared_digest = digest;
    inbox_.facts.put(std::make_unique<sync::NodeFacts>(facts));
    inbox_.fitness.put(std::make_unique<sync::OwnFitness>(std::move(fitness)));
    mail();
}

void NodeVips::reload() {
    inbox_.takeover.put(std::make_unique<sync::TakeoverOptions>(options()));
    mail();
}

void NodeVips::move(std::size_t vip) {
    inbox_.moves.put(id_of(vip));
    mail();
}

// ---- a planned end ----

void NodeVips::leave() {
    if (std::exchange(leaving_, true)) return;
    say();
    hand_over(around_.now() + handing_over);
}

void NodeVips::hand_over(sync::Moment until) {
    const auto is_still_here = [](const sync::VipView& vip) {
        return vip.role == sync::VipRole::offering && !vip.next.empty();
    };
    // The report that is of after it was said.
    around_.later(report_every + 10ms, [this, until, is_still_here] {
        const bool wait = std::any_of(views_.begin(), views_.end(), is_still_here);
        if (wait && around_.now() < until) return hand_over(until);
        parting_ = true;
        say();
        around_.later(2 * around_.plan.interval, [this] { around_.end(); });
    });
}

}  // namespace bascule::sim
