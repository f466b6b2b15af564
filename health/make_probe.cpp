// SPDX-License-Identifier: Apache-2.0
// Which maker makes the probe of a target.
#include <stdexcept>

#include "health/makers.h"

namespace bascule::health {

Result<std::unique_ptr<Probe>> make_probe(boost::asio::io_context& io, ProbeResources& resources,
                                          const Target& target) {
    switch (target.health.type) {
        case model::ProbeType::tcp:
            return make_tcp_probe(io, resources, target);
        case model::ProbeType::http:
        case model::ProbeType::https:
            return make_http_probe(io, resources, target);
        case model::ProbeType::udp:
            return make_udp_probe(io, resources, target);
        case model::ProbeType::dns:
            return make_dns_probe(io, resources, target);
        case model::ProbeType::icmp:
            return make_icmp_probe(io, resources, target);
        case model::ProbeType::exec:
            return make_exec_probe(io, resources, target);
        case model::ProbeType::none:
            break;
    }
    throw std::logic_error("a target without a check has no probe");
}

}  // namespace bascule::health
