// SPDX-License-Identifier: Apache-2.0
// Frames of the control socket: four bytes of length, most significant first, then one message.
//
// Pure: no socket, no clock, any thread. Bytes come from whoever may open the socket, so nothing
// here trusts them: a length above the limit is refused before a byte of the body is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "control/control.pb.h"

namespace bascule::control {

inline constexpr std::size_t kLengthBytes = 4;
inline constexpr std::size_t kMostAnswerBytes = std::size_t{4} << 20;
inline constexpr std::size_t kMostRequestBytes = std::size_t{64} << 10;

// The most sessions that one answer lists; with the longest names they stay below
// kMostAnswerBytes.
inline constexpr std::uint32_t kMostSessions = 10'000;
inline constexpr std::uint32_t kDefaultSessions = 100;

// Cuts a stream of bytes into bodies. After an error it stays in it: the stream has no place from
// which it could be read again.
class FrameReader {
public:
    explicit FrameReader(std::size_t most) : most_(most) {}

    void push(std::string_view bytes) { buffer_.append(bytes); }

    // The next whole body, nothing while it is incomplete, or an error when its length is above
    // the limit.
    Result<std::optional<std::string>> next();

    // True amid a frame: an end of the stream would cut it.
    bool partial() const { return !buffer_.empty(); }

private:
    std::size_t most_;
    std::string buffer_;
};

// The frame of a body. The body must not be longer than 4 GiB; callers hold it to their limit.
std::string frame(std::string_view body);

// Fails when the request is longer than kMostRequestBytes.
Result<std::string> encode(const Request& request);
// An answer that would be longer than kMostAnswerBytes becomes a failure that says so.
std::string encode(const Response& response);

Result<Request> decode_request(std::string_view body);
Result<Response> decode_response(std::string_view body);

// A response that holds only this failure.
Response failure_response(Failure::Code code, std::string message);

}  // namespace bascule::control
