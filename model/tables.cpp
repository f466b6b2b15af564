// SPDX-License-Identifier: Apache-2.0
#include "model/tables.h"

namespace bascule::model {
namespace {

std::string endpoint(const Address& address, std::uint16_t port) {
    const std::string number = std::to_string(port);
    if (address.is_v4()) return address.to_string() + ':' + number;
    return '[' + address.to_string() + "]:" + number;
}

}  // namespace

std::string ServiceKey::to_string() const {
    return endpoint(vip, port) + (protocol == Protocol::tcp ? "/tcp" : "/udp");
}

std::string BackendKey::to_string() const {
    return endpoint(address, port);
}

}  // namespace bascule::model
