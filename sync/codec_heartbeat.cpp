// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stdexcept>

#include "sync/codec.h"
#include "sync/codec_check.h"
#include "sync/codec_text.h"
#include "sync/peer_said.h"

namespace bascule::sync {

namespace {

void write(const NodeFacts& facts, wire::NodeFacts& out) {
    out.set_attached(facts.attached);
    out.set_links_up(facts.links_up);
    out.set_witness(facts.witness);
    out.set_synced(facts.synced);
    out.set_leaving(facts.leaving);
    out.set_config_hash(facts.config_hash);
    out.set_ring_hash(facts.ring_hash);
    out.set_shared_digest(facts.shared_digest);
    out.set_release(facts.release);
}

NodeFacts read(const wire::NodeFacts& facts) {
    return {.attached = facts.attached(),
            .links_up = facts.links_up(),
            .witness = facts.witness(),
            .synced = facts.synced(),
            .leaving = facts.leaving(),
            .config_hash = facts.config_hash(),
            .ring_hash = facts.ring_hash(),
            .shared_digest = facts.shared_digest(),
            .release = shown(facts.release())};
}

void write(const Echo& echo, wire::Echo& out) {
    out.set_incarnation(echo.incarnation);
    out.set_sequence(echo.sequence);
    out.set_sent(echo.sent);
    out.set_held(echo.held);
}

// Beyond a byte it is a bug that check() does not see.
char byte_of(std::uint32_t value, const char* what) {
    if (value > 0xff) throw std::logic_error(std::string("heartbeat: too great a ") + what);
    return static_cast<char>(value);
}

constexpr unsigned heard_bit = 128;  // of a state

void write(const std::vector<VipClaim>& claims, wire::Claims& out) {
    const bool any_holder =
        std::ranges::any_of(claims, [](const auto& c) { return c.holder != 0; });
    for (const VipClaim& claim : claims) {
        const auto role = static_cast<std::uint32_t>(claim.role);
        out.add_vips(claim.vip);
        out.add_epochs(claim.epoch);
        out.mutable_priorities()->push_back(byte_of(claim.priority, "priority"));
        const std::uint32_t state =
            2 * role + (claim.moved ? 1 : 0) + (claim.heard ? heard_bit : 0);
        out.mutable_states()->push_back(byte_of(state, "role"));
        if (any_holder) out.mutable_holders()->push_back(static_cast<char>(claim.holder));
    }
}

// A role that is not known here is none that counts.
VipRole role_of(std::uint8_t state) {
    const unsigned role = state % heard_bit / 2;
    return role <= static_cast<unsigned>(VipRole::offering) ? static_cast<VipRole>(role)
                                                            : VipRole::unfit;
}

// Of columns that check() has passed.
std::vector<VipClaim> read(const wire::Claims& in) {
    std::vector<VipClaim> out;
    for (int i = 0; i < in.vips_size(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        const auto state = static_cast<std::uint8_t>(in.states()[at]);
        out.push_back({.vip = in.vips(i),
                       .role = role_of(state),
                       .epoch = in.epochs(i),
                       .priority = static_cast<std::uint8_t>(in.priorities()[at]),
                       .moved = state % 2 == 1,
                       .heard = state >= heard_bit});
        if (!in.holders().empty()) out.back().holder = static_cast<NodePlace>(in.holders()[at]);
    }
    return out;
}

// Of columns that were not checked, since a later release may have changed them. Where these two
// are not what they were, nothing.
std::vector<VipClaim> read_foreign(const wire::Claims& in) {
    const auto count = static_cast<std::size_t>(in.vips_size());
    if (count > most_vips || in.states().size() != count) return {};
    std::vector<VipClaim> out;
    for (std::size_t i = 0; i < count; ++i)
        out.push_back({.vip = in.vips(static_cast<int>(i)),
                       .role = role_of(static_cast<std::uint8_t>(in.states()[i]))});
    return only_what_it_has(out);
}

}  // namespace

std::string encode_heartbeat(const Heartbeat& heartbeat) {
    wire::Heartbeat out;
    out.set_version(heartbeat.version);
    out.set_needs(heartbeat.needs);
    out.set_node(heartbeat.node);
    out.set_to(heartbeat.to);
    out.set_incarnation(heartbeat.incarnation);
    out.set_path(heartbeat.path);
    out.set_sequence(heartbeat.sequence);
    out.set_sent(heartbeat.sent);
    out.set_wall(heartbeat.wall);
    for (const Echo& echo : heartbeat.echoes)
        write(echo, *out.add_echoes());
    out.set_probe(heartbeat.probe);
    out.set_hears(heartbeat.hears);
    write(heartbeat.facts, *out.mutable_facts());
    if (!heartbeat.claims.empty()) write(heartbeat.claims, *out.mutable_claims());
    if (auto fine = check(out); !fine) throw std::logic_error("heartbeat: " + fine.error().text());
    return out.SerializeAsString();
}

std::optional<Heartbeat> decode_heartbeat(std::span<const std::uint8_t> bytes) {
    wire::Heartbeat in;
    if (bytes.size() > most_frame ||
        !in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !check(in))
        return std::nullopt;
    Heartbeat out{.version = in.version(),
                  .needs = in.needs(),
                  .node = in.node(),
                  .to = in.to(),
                  .incarnation = in.incarnation(),
                  .path = in.path(),
                  .sequence = in.sequence(),
                  .sent = in.sent(),
                  .wall = in.wall(),
                  .echoes = {},
                  .probe = in.probe(),
                  .hears = in.hears(),
                  .facts = read(in.facts()),
                  .claims = {}};
    for (const wire::Echo& echo : in.echoes())
        out.echoes.push_back({.incarnation = echo.incarnation(),
                              .sequence = echo.sequence(),
                              .sent = echo.sent(),
                              .held = echo.held()});
    // Of who needs a newer release than this they were not checked, and may mean something else.
    const bool understood = in.needs() <= protocol_version;
    out.claims = understood ? read(in.claims()) : read_foreign(in.claims());
    return out;
}

}  // namespace bascule::sync
