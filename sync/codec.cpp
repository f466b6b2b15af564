// SPDX-License-Identifier: Apache-2.0
#include "sync/codec.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "sync/codec_check.h"
#include "sync/codec_stream.h"

namespace bascule::sync {

namespace {

constexpr std::size_t length_bytes = 4;

}  // namespace

Frame encode(const StreamMessage& message) {
    wire::StreamMessage out;
    std::visit([&](const auto& value) { write(value, out); }, message);
    if (auto fine = check(out); !fine) throw std::logic_error(fine.error().text());
    const std::size_t size = out.ByteSizeLong();
    if (size > most_frame)
        throw std::logic_error(fmt::format("a message of {} bytes, at most {}", size, most_frame));
    auto frame = std::make_shared<std::string>();
    frame->resize(length_bytes + size);
    for (std::size_t i = 0; i < length_bytes; ++i)
        (*frame)[i] = static_cast<char>(size >> (8 * (length_bytes - 1 - i)) & 0xff);
    out.SerializeWithCachedSizesToArray(
        reinterpret_cast<std::uint8_t*>(frame->data() + length_bytes));
    return frame;
}

Result<std::optional<StreamMessage>> decode(std::span<const std::uint8_t> bytes) {
    if (bytes.empty()) return failure("an empty message");
    if (bytes.size() > most_frame)
        return failure(fmt::format("a message of {} bytes, at most {}", bytes.size(), most_frame));
    wire::StreamMessage in;
    if (!in.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return failure("bytes that are no message");
    if (auto fine = check(in); !fine) return failure(std::move(fine.error()));
    return read(in);
}

}  // namespace bascule::sync
