// SPDX-License-Identifier: Apache-2.0
// Each message of a stream <-> what protoc makes of it. Pure; any thread.
#pragma once

#include <optional>

#include "sync/gossip.pb.h"
#include "sync/messages.h"

namespace bascule::sync {

// Sets the kind of `out`, too.
void write(const Hello& hello, wire::StreamMessage& out);
void write(const Batch& batch, wire::StreamMessage& out);
void write(const Ack& ack, wire::StreamMessage& out);
void write(const Gap& gap, wire::StreamMessage& out);
void write(const Catalogue& catalogue, wire::StreamMessage& out);
void write(const Digests& digests, wire::StreamMessage& out);
void write(const Differing& differing, wire::StreamMessage& out);
void write(const Listing& listing, wire::StreamMessage& out);
void write(const Repair& repair, wire::StreamMessage& out);
void write(const Supply& supply, wire::StreamMessage& out);
void write(const SharedDigests& digests, wire::StreamMessage& out);
void write(const SharedItems& items, wire::StreamMessage& out);
void write(const Ping& ping, wire::StreamMessage& out);
void write(const Pong& pong, wire::StreamMessage& out);
// Words beyond most_why are cut.
void write(const Bye& bye, wire::StreamMessage& out);

// Of what check() has passed. Nullopt: no kind that is known here.
std::optional<StreamMessage> read(const wire::StreamMessage& in);

}  // namespace bascule::sync
