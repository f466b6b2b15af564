// SPDX-License-Identifier: Apache-2.0
// Configurations for tests, from their text: what the file means is the model's business.
#pragma once

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "model/config.h"

namespace bascule::node::testing {

inline model::Config config_of(const std::string& text) {
    auto parsed = model::parse_config({{"test.toml", text}}, "lb1");
    if (!parsed.config) throw std::runtime_error(parsed.errors.at(0).to_string());
    return *std::move(parsed.config);
}

inline std::string head_text(const std::string& interface = "eth0") {
    return "[node]\ninterfaces = [\"" + interface +
           "\"]\n[[vip]]\naddress = \"10.9.0.100\"\ninterface = \"" + interface + "\"\n";
}

inline std::string service_text(const std::string& name, int port, const std::string& more = {}) {
    return "[[service]]\nname = \"" + name +
           "\"\nvip = \"10.9.0.100\"\nport = " + std::to_string(port) +
           "\nprotocol = \"tcp\"\nforward = \"l2\"\n" + more;
}

inline std::string backend_text(const std::string& name, const std::string& address,
                                const std::string& more = {}) {
    return "[[service.backend]]\nname = \"" + name + "\"\naddress = \"" + address + "\"\n" + more;
}

// Nodes lb1 (the one whose host name config_of() says) and lb2.
inline std::string cluster_text(int priority1 = 100, int priority2 = 100,
                                const std::string& more = {}) {
    return "[cluster]\nname = \"edge\"\n" + more +
           "[[cluster.node]]\nname = \"lb1\"\naddresses = [\"10.9.0.11\"]\npriority = " +
           std::to_string(priority1) +
           "\n[[cluster.node]]\nname = \"lb2\"\naddresses = [\"10.9.0.12\"]\npriority = " +
           std::to_string(priority2) + "\n";
}

}  // namespace bascule::node::testing
