// SPDX-License-Identifier: Apache-2.0
// Enum values of the protocol as the words that operators read and type: "unresolved", "tcp".
//
// Pure, any thread. A value that this command does not know, from a newer daemon, is its number.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/control.pb.h"

namespace bascule::cli {

std::string name_of(control::Protocol value);
std::string name_of(control::BackendState value);
std::string name_of(control::SessionState value);
std::string name_of(control::Interface::Mode value);
std::string name_of(control::Failure::Code value);
std::string name_of(control::Peer::State value);
std::string name_of(control::VipNode::Role value);

std::optional<control::SessionState> session_state(std::string_view name);

// "service/backend"
std::string full_name(const control::Backend& backend);

// "10.9.0.1:80", "[2001:db8::1]:80"
std::string endpoint(std::string_view address, unsigned port);
// The same for several ports: "10.9.0.1:8000-8099".
std::string endpoint(std::string_view address, std::string_view ports);

}  // namespace bascule::cli
