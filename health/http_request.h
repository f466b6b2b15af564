// SPDX-License-Identifier: Apache-2.0
// The request of an HTTP probe, and the name that a server is asked by. Pure.
#pragma once

#include <string>

#include "health/target.h"

namespace bascule::health {

// `host` of the configuration, else the VIP or the address that is checked, as in a URL.
std::string host_header(const Target& target, const Destination& to);

// All its bytes.
std::string http_request(const Target& target, const Destination& to);

// The name for SNI and the certificate: `sni`, else `host` without its port. Empty: none is known,
// for the address is no name that anybody chose.
std::string tls_name(const model::HealthConfig& options);

}  // namespace bascule::health
