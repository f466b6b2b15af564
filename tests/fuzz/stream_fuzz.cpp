// SPDX-License-Identifier: Apache-2.0
// Any bytes as a message of a peer: an error that can be shown, or a value that keeps every bound,
// and goes over the wire again as the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>

#include "sync/codec.h"
#include "sync/codec_bounds.h"
#include "sync/framing.h"

namespace bascule::sync {
namespace {

void demand(bool truth) {
    if (!truth) std::abort();
}

bool is_shown(std::string_view text) {
    for (const char c : text) {
        if (c < ' ' || c > '~') return false;
    }
    return true;
}

template <typename T>
void check_bounds(const T& value) {
    if constexpr (requires { value.records; }) demand(value.records.size() <= most_records);
    if constexpr (requires { value.missing; }) demand(value.missing.size() <= most_fingerprints);
    if constexpr (requires { value.partition; }) demand(value.partition < partitions);
    if constexpr (requires { value.which; }) demand(value.which.size() <= partitions);
    if constexpr (std::is_same_v<T, Hello>) demand(!value.node.empty());
    if constexpr (std::is_same_v<T, Bye>) demand(is_shown(value.why));
    if constexpr (std::is_same_v<T, Digests>)
        demand(value.digests.size() == value.counts.size() && !value.digests.empty());
    if constexpr (std::is_same_v<T, SharedItems>) {
        for (const SharedItem& item : value.items)
            demand(item.key.size() <= most_shared_key && item.value.size() <= most_shared_value);
    }
}

void check_message(std::span<const std::uint8_t> bytes) {
    const auto read = decode(bytes);
    if (!read) {
        demand(!read.error().text().empty() && is_shown(read.error().text()));
        return;
    }
    if (!*read) return;
    std::visit([](const auto& value) { check_bounds(value); }, **read);
    const Frame frame = encode(**read);
    const auto again =
        decode({reinterpret_cast<const std::uint8_t*>(frame->data()) + frame_length_bytes,
                frame->size() - frame_length_bytes});
    demand(again && *again && **again == **read);
}

// The same bytes as a stream, in pieces of a length that they say themselves.
void check_frames(std::span<const std::uint8_t> bytes) {
    FrameReader reader;
    const std::size_t piece = bytes.empty() ? 1 : 1 + bytes.front() % 64;
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(piece, bytes.size()));
        bytes = bytes.subspan(part.size());
        reader.push(part);
        for (;;) {
            const auto frame = reader.next();
            if (!frame) return;
            if (!*frame) break;
            demand(!(*frame)->empty() && (*frame)->size() <= most_frame);
        }
    }
}

}  // namespace
}  // namespace bascule::sync

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    bascule::sync::check_message({data, size});
    bascule::sync::check_frames({data, size});
    return 0;
}
