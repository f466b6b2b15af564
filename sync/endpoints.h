// SPDX-License-Identifier: Apache-2.0
// Endpoints as Asio has them.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "model/config.h"

namespace bascule::sync {

inline boost::asio::ip::tcp::endpoint tcp_endpoint(const model::Endpoint& endpoint) {
    namespace ip = boost::asio::ip;
    if (!endpoint.address.is_v4()) return {ip::address_v6(endpoint.address.bytes()), endpoint.port};
    const auto& bytes = endpoint.address.bytes();
    return {ip::address_v4({bytes[12], bytes[13], bytes[14], bytes[15]}), endpoint.port};
}

inline model::Endpoint endpoint_of(const boost::asio::ip::tcp::endpoint& endpoint) {
    if (endpoint.address().is_v4())
        return {Address::v4(endpoint.address().to_v4().to_bytes()), endpoint.port()};
    return {Address(endpoint.address().to_v6().to_bytes()), endpoint.port()};
}

}  // namespace bascule::sync
