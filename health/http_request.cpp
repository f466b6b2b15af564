// SPDX-License-Identifier: Apache-2.0
#include "health/http_request.h"

#include <strings.h>

#include <algorithm>
#include <cstring>

namespace bascule::health {

namespace {

std::string in_url(const Address& address, std::uint16_t port, std::uint16_t usual) {
    std::string out = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
    if (port != usual) out += ":" + std::to_string(port);
    return out;
}

bool has_header(const model::HealthConfig& options, std::string_view name) {
    return std::any_of(options.headers.begin(), options.headers.end(),
                       [name](const std::string& header) {
                           return header.size() > name.size() && header[name.size()] == ':' &&
                                  strncasecmp(header.data(), name.data(), name.size()) == 0;
                       });
}

}  // namespace

std::string host_header(const Target& target, const Destination& to) {
    const model::HealthConfig& options = target.health;
    if (!options.host.empty()) return options.host;
    const std::uint16_t usual = options.type == model::ProbeType::https ? 443 : 80;
    if (options.via == model::Via::address) return in_url(to.address, to.port, usual);
    return in_url(target.vip, to.port, usual);
}

std::string http_request(const Target& target, const Destination& to) {
    const model::HealthConfig& options = target.health;
    std::string out = options.method + " " + options.path + " HTTP/1.1\r\n";
    out += "Host: " + host_header(target, to) + "\r\n";
    if (!has_header(options, "User-Agent")) out += "User-Agent: bascule\r\n";
    for (const std::string& header : options.headers)
        out += header + "\r\n";
    if (!options.keep_alive) out += "Connection: close\r\n";
    if (options.method == "POST") out += "Content-Length: 0\r\n";
    return out + "\r\n";
}

std::string tls_name(const model::HealthConfig& options) {
    if (!options.sni.empty()) return options.sni;
    const std::string& host = options.host;
    if (host.starts_with('[')) return host.substr(1, host.find(']') - 1);
    if (std::count(host.begin(), host.end(), ':') > 1) return host;  // a bare IPv6 address
    return host.substr(0, host.find(':'));
}

}  // namespace bascule::health
