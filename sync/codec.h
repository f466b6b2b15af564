// SPDX-License-Identifier: Apache-2.0
// Values <-> protobuf: the one user of what protoc makes of gossip.proto. Nothing here trusts its
// input: every count, length and range is checked before anything is made of it, and a message that
// breaks one is refused whole. Unknown fields are ignored. Pure; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "sync/heartbeat.h"
#include "sync/messages.h"

namespace bascule::sync {

std::string encode_heartbeat(const Heartbeat& heartbeat);
// Nullopt: not understood.
std::optional<Heartbeat> decode_heartbeat(std::span<const std::uint8_t> bytes);

// A whole frame. Beyond most_frame it is a bug and throws std::logic_error.
Frame encode(const StreamMessage& message);
// Of a frame without its length. Errors name what is wrong ("batch: 20000 records, at most 16384").
// A message of an unknown kind (a later release's) is a value without one: nullopt.
Result<std::optional<StreamMessage>> decode(std::span<const std::uint8_t> bytes);

}  // namespace bascule::sync
