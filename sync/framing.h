// SPDX-License-Identifier: Apache-2.0
// Cuts the bytes of a stream into frames: 4 bytes of length, most significant first, then so many
// bytes. Keeps at most one frame and what came behind it in the same read. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"

namespace bascule::sync {

inline constexpr std::size_t frame_length_bytes = 4;

class FrameReader {
public:
    // Bytes as they came. What next() gave before is no longer valid.
    void push(std::span<const std::uint8_t> bytes);

    // The next whole frame without its length, until push() valid; nothing while it is incomplete.
    // Error: a length of 0 or above most_frame, after which the stream has no place to go on from.
    Result<std::optional<std::span<const std::uint8_t>>> next();

private:
    std::vector<std::uint8_t> bytes_;
    std::size_t begin_ = 0;  // of what was not given out yet
};

}  // namespace bascule::sync
