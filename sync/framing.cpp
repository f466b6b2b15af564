// SPDX-License-Identifier: Apache-2.0
#include "sync/framing.h"

#include <fmt/format.h>

#include "sync/messages.h"

namespace bascule::sync {

void FrameReader::push(std::span<const std::uint8_t> bytes) {
    // What was given out is dropped when more comes: at most one frame is ever moved by it.
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<std::span<const std::uint8_t>>> FrameReader::next() {
    const std::span<const std::uint8_t> rest = std::span(bytes_).subspan(begin_);
    if (rest.size() < frame_length_bytes) return std::nullopt;
    std::size_t length = 0;
    for (const std::uint8_t byte : rest.first(frame_length_bytes))
        length = length << 8 | byte;
    if (length == 0) return failure("an empty frame");
    if (length > most_frame)
        return failure(fmt::format("a frame of {} bytes, at most {}", length, most_frame));
    if (rest.size() - frame_length_bytes < length) return std::nullopt;
    begin_ += frame_length_bytes + length;
    return rest.subspan(frame_length_bytes, length);
}

}  // namespace bascule::sync
