// SPDX-License-Identifier: Apache-2.0
#include "model/tables.h"

namespace bascule::model {
namespace {

std::string endpoint(const Address& address, const std::string& ports) {
    if (address.is_v4()) return address.to_string() + ':' + ports;
    return '[' + address.to_string() + "]:" + ports;
}

}  // namespace

std::string ServiceKey::to_string() const {
    return endpoint(vip, ports.to_string()) + (protocol == Protocol::tcp ? "/tcp" : "/udp");
}

std::string BackendKey::to_string() const {
    return endpoint(address, std::to_string(port));
}

}  // namespace bascule::model
