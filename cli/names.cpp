// SPDX-License-Identifier: Apache-2.0
#include "cli/names.h"

#include <fmt/format.h>

namespace bascule::cli {

namespace {

// "BACKEND_UP" with prefix "BACKEND_" is "up".
std::string word(std::string_view symbol, std::string_view prefix, int number) {
    if (!symbol.starts_with(prefix)) return fmt::format("unknown-{}", number);
    std::string result(symbol.substr(prefix.size()));
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

}  // namespace

std::string name_of(control::Protocol value) {
    return word(control::Protocol_Name(value), "PROTOCOL_", value);
}
std::string name_of(control::BackendState value) {
    return word(control::BackendState_Name(value), "BACKEND_", value);
}
std::string name_of(control::SessionState value) {
    return word(control::SessionState_Name(value), "SESSION_", value);
}
std::string name_of(control::Interface::Mode value) {
    return word(control::Interface::Mode_Name(value), "MODE_", value);
}
std::string name_of(control::Failure::Code value) {
    return word(control::Failure::Code_Name(value), "FAILURE_", value);
}
std::string name_of(control::Peer::State value) {
    return word(control::Peer::State_Name(value), "PEER_", value);
}

std::string name_of(control::VipNode::Role value) {
    return word(control::VipNode::Role_Name(value), "ROLE_", value);
}

std::optional<control::SessionState> session_state(std::string_view name) {
    for (int i = control::SessionState_MIN; i <= control::SessionState_MAX; ++i) {
        auto state = static_cast<control::SessionState>(i);
        if (control::SessionState_IsValid(i) && name_of(state) == name) return state;
    }
    return std::nullopt;
}

std::string full_name(const control::Backend& backend) {
    return backend.service() + "/" + backend.name();
}

std::string endpoint(std::string_view address, unsigned port) {
    return endpoint(address, std::to_string(port));
}

std::string endpoint(std::string_view address, std::string_view ports) {
    bool v6 = address.find(':') != std::string_view::npos;
    return v6 ? fmt::format("[{}]:{}", address, ports) : fmt::format("{}:{}", address, ports);
}

}  // namespace bascule::cli
