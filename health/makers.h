// SPDX-License-Identifier: Apache-2.0
// Makers of probes, one a type; make_probe() picks. Errors and thread: as there.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>

#include "base/result.h"
#include "health/probe.h"
#include "health/target.h"

namespace bascule::health {

Result<std::unique_ptr<Probe>> make_tcp_probe(boost::asio::io_context& io,
                                              ProbeResources& resources, const Target& target);
// http and https.
Result<std::unique_ptr<Probe>> make_http_probe(boost::asio::io_context& io,
                                               ProbeResources& resources, const Target& target);
Result<std::unique_ptr<Probe>> make_udp_probe(boost::asio::io_context& io,
                                              ProbeResources& resources, const Target& target);
Result<std::unique_ptr<Probe>> make_dns_probe(boost::asio::io_context& io,
                                              ProbeResources& resources, const Target& target);
Result<std::unique_ptr<Probe>> make_icmp_probe(boost::asio::io_context& io,
                                               ProbeResources& resources, const Target& target);
Result<std::unique_ptr<Probe>> make_exec_probe(boost::asio::io_context& io,
                                               ProbeResources& resources, const Target& target);

}  // namespace bascule::health
