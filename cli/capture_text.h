// SPDX-License-Identifier: Apache-2.0
// One captured packet as a line, as a comment of a capture file, as JSON. Pure, any thread.
#pragma once

#include <string>

#include "cli/json.h"
#include "control/control.pb.h"

namespace bascule::cli {

// "arrives", "leaves", "answer", "dropped", "passed".
const char* what_of(const control::CapturedPacket& packet);

// What became of it, short: "web/web1", "no_backend (web)", "vip_no_service"; may be empty.
std::string fate_of(const control::CapturedPacket& packet);

// "12:25:40.123456 dropped eth0 198.51.100.7:40000 > 10.9.0.100:80 tcp syn, 0 bytes: no_backend",
// in the time zone of TZ, without its line end.
std::string line_of(const control::CapturedPacket& packet, bool colours);

Json json_packet(const control::CapturedPacket& packet);

}  // namespace bascule::cli
