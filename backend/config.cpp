// SPDX-License-Identifier: Apache-2.0
#include "backend/config.h"

#include <algorithm>

#include "backend/bpf/layout.h"
#include "backend/config_draft.h"

namespace bascule::backend {
namespace {

constexpr std::uint16_t ipip_overhead(bool v6) {
    return v6 ? 40 : 20;
}
constexpr std::uint16_t gue_overhead(bool v6) {
    return static_cast<std::uint16_t>(ipip_overhead(v6) + 8);
}

}  // namespace

std::string Prefix::to_string() const {
    return address.to_string() + (is_single() ? "" : "/" + std::to_string(length));
}

std::string Modes::to_string() const {
    std::string text;
    for (const auto& [set, name] : {std::pair(l2, "l2"), std::pair(ipip, "ipip"),
                                    std::pair(gue, "gue"), std::pair(local, "local")})
        if (set) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

std::string PortPair::to_string() const {
    return std::string(protocol == Protocol::udp ? "udp " : "tcp ") + std::to_string(server) +
           " as " + std::to_string(service);
}

bool Config::has_tunnels() const {
    return std::any_of(vips.begin(), vips.end(), [](const Vip& vip) { return vip.modes.tunnel(); });
}

bool Config::needs_restore() const {
    const bool clamps = has_tunnels() && (mss_clamp.automatic || mss_clamp.fixed != 0);
    return clamps ||
           std::any_of(vips.begin(), vips.end(), [](const Vip& vip) { return !vip.ports.empty(); });
}

std::uint16_t Config::overhead_of(const Vip& vip) const {
    std::uint16_t most = 0;
    for (const Prefix& balancer : balancers) {
        const bool v6 = !balancer.address.is_v4();
        if (vip.modes.ipip) most = std::max(most, ipip_overhead(v6));
        if (vip.modes.gue) most = std::max(most, gue_overhead(v6));
    }
    return most;
}

ParsedConfig parse_config(const std::string& file, const std::string& text) {
    const std::vector<model::SourceText> sources = {{file, text}};
    model::Diagnostics diagnostics(sources);
    const model::Document document = model::parse_toml(text, 0, diagnostics);
    Draft draft = read_draft(document, diagnostics);
    check_draft(draft, document.whole, diagnostics);
    if (!diagnostics.empty()) return {{}, diagnostics.report()};
    Config config;
    for (const auto& interface : draft.interfaces)
        config.interfaces.push_back(*interface.value);
    for (const auto& balancer : draft.balancers)
        config.balancers.push_back(*balancer.value);
    config.gue_port = static_cast<std::uint16_t>(*draft.gue_port.value);
    config.mss_clamp = *draft.mss_clamp.value;
    config.persist = *draft.persist.value == "true";
    for (const VipDraft& vip : draft.vips) {
        Vip made{*vip.address.value, *vip.modes.value, *vip.hold.value == "true", {}};
        for (const PortDraft& port : vip.ports)
            made.ports.push_back({*port.protocol.value == "udp" ? Protocol::udp : Protocol::tcp,
                                  static_cast<std::uint16_t>(*port.service.value),
                                  static_cast<std::uint16_t>(*port.server.value)});
        config.vips.push_back(std::move(made));
    }
    return {std::move(config), {}};
}

}  // namespace bascule::backend
