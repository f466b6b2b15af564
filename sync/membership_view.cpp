// SPDX-License-Identifier: Apache-2.0
// The wire as a path of its own, and what is known of peers.
#include <algorithm>

#include "sync/membership_impl.h"

namespace bascule::sync {

// ---- the wire ----

// A configured path carries both ways.
bool Membership::Impl::joined(const Peer& peer, Moment now) const {
    for (std::size_t path = 0; path < options.paths; ++path)
        if (view_of(peer.paths[path], now).hears_us) return true;
    return false;
}

// Both ends go on for as long as they hear each other by it alone: whoever has let go would
// otherwise find the other one dead a moment later, and take again.
bool Membership::Impl::uses_wire(const Peer& peer, Moment now) const {
    if (!options.wire) return false;
    const Moment since = now - wire_time();
    const bool asked = asked_by_wire != Moment{} && asked_by_wire >= since;
    return (asked || peer.paths[options.paths].heard_since(since)) && !joined(peer, now);
}

void Membership::ask_by_wire(Moment now) {
    impl_->asked_by_wire = now;
}

bool Membership::heard_by_wire(std::size_t index) const {
    const Impl& impl = *impl_;
    const MembershipPeer& peer = impl.peers.at(index);
    return impl.options.wire &&
           peer.paths[impl.options.paths].heard_since(impl.expected_tick - impl.wire_time());
}

// ---- what is known ----

PathView Membership::Impl::view_of(const PeerPath& path, Moment now) const {
    PathView view;
    view.heard = path.heard_since(now - silence_allowed());
    view.hears_us = view.heard && path.echoed_since(now - silence_allowed() - options.interval -
                                                    path.round_trip().smoothed());
    view.last_heard = path.last_heard();
    view.rtt = path.round_trip().smoothed();
    view.rtt_least = path.round_trip().least();
    view.loss = path.loss(now, options.interval);
    view.received = path.received();
    view.replayed = path.replayed();
    view.late = path.late();
    return view;
}

PeerView Membership::Impl::view_of(const Peer& peer, Moment now) const {
    PeerView view;
    view.name = peer.name;
    view.liveness = peer.life.liveness();
    view.since = peer.life.since();
    view.incarnation = peer.freshness.current();
    view.hears_us = lives(peer) && peer.said.hears_us;
    view.incompatible = peer.said.incompatible;
    view.version = peer.said.version;
    view.facts = peer.said.facts;
    view.claims = peer.said.claims;
    view.wall_skew = peer.said.wall_skew;
    view.unverified = peer.unverified;
    view.suspected = peer.life.suspected();
    view.died = peer.life.died();
    for (std::size_t path = 0; path < options.paths; ++path)
        view.paths.push_back(view_of(peer.paths[path], now));
    if (!options.wire) return view;
    view.wire = view_of(peer.paths[options.paths], now);
    view.by_wire = view.wire.heard && std::ranges::none_of(view.paths, &PathView::heard);
    return view;
}

Membership::Membership(MembershipOptions options, Moment now)
    : impl_(std::make_unique<Impl>(std::move(options), now)) {}

Membership::~Membership() = default;

void Membership::set_facts(const NodeFacts& facts) {
    impl_->facts = facts;
    impl_->facts.release = impl_->options.release;
}

void Membership::set_claims(std::vector<VipClaim> claims) {
    if (claims == impl_->claims) return;
    impl_->claims = std::move(claims);
    // Whatever says this is newer than what says the former, also when a clock has not moved.
    impl_->stamp += Nanoseconds(1);
}

std::vector<PeerView> Membership::view(Moment now) const {
    std::vector<PeerView> views;
    for (const MembershipPeer& peer : impl_->peers)
        views.push_back(impl_->view_of(peer, now));
    return views;
}

Liveness Membership::liveness(std::size_t peer) const {
    return impl_->peers.at(peer).life.liveness();
}

std::span<const VipClaim> Membership::claims(std::size_t peer) const {
    return impl_->peers.at(peer).said.claims;
}

Moment Membership::claims_heard(std::size_t peer) const {
    return impl_->peers.at(peer).said.at;
}

bool Membership::incompatible(std::size_t peer) const {
    return impl_->peers.at(peer).said.incompatible;
}

Incarnation Membership::incarnation(std::size_t peer) const {
    return impl_->peers.at(peer).freshness.current();
}

bool Membership::hears_us(std::size_t peer) const {
    const PeerSaid& said = impl_->peers.at(peer).said;
    return said.hears_us && said.version >= impl_->options.needs;
}

bool Membership::sees_witness(std::size_t peer) const {
    const PeerSaid& said = impl_->peers.at(peer).said;
    return said.facts.witness && !said.incompatible;
}

bool Membership::alone() const {
    return std::ranges::none_of(impl_->peers,
                                [this](const MembershipPeer& peer) { return impl_->lives(peer); });
}

}  // namespace bascule::sync
