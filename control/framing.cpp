// SPDX-License-Identifier: Apache-2.0
#include "control/framing.h"

#include <fmt/format.h>

#include <utility>

namespace bascule::control {

namespace {

std::uint32_t read_length(std::string_view bytes) {
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
        length = length << 8 | static_cast<std::uint8_t>(bytes[i]);
    }
    return length;
}

}  // namespace

Result<std::optional<std::string>> FrameReader::next() {
    if (buffer_.size() < kLengthBytes) return std::nullopt;
    std::size_t length = read_length(buffer_);
    if (length > most_) {
        return failure(fmt::format("a message of {} bytes; at most {} are taken", length, most_));
    }
    if (buffer_.size() - kLengthBytes < length) return std::nullopt;
    std::string body = buffer_.substr(kLengthBytes, length);
    buffer_.erase(0, kLengthBytes + length);
    return body;
}

std::string frame(std::string_view body) {
    auto length = static_cast<std::uint32_t>(body.size());
    std::string bytes;
    bytes.reserve(kLengthBytes + body.size());
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes.push_back(static_cast<char>(length >> shift & 0xFF));
    }
    bytes.append(body);
    return bytes;
}

Result<std::string> encode(const Request& request) {
    if (request.ByteSizeLong() > kMostRequestBytes) {
        return failure(fmt::format("the request is longer than {} bytes", kMostRequestBytes));
    }
    return frame(request.SerializeAsString());
}

std::string encode(const Response& response) {
    if (response.ByteSizeLong() > kMostAnswerBytes) {
        return encode(failure_response(
            Failure::FAILURE_FAILED,
            fmt::format("the answer is longer than {} bytes: ask for less", kMostAnswerBytes)));
    }
    return frame(response.SerializeAsString());
}

Result<Request> decode_request(std::string_view body) {
    Request request;
    if (!request.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        return failure("the bytes are no request");
    }
    return request;
}

Result<Response> decode_response(std::string_view body) {
    Response response;
    if (!response.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        return failure("the bytes are no answer");
    }
    return response;
}

Response failure_response(Failure::Code code, std::string message) {
    Response response;
    response.mutable_failure()->set_code(code);
    response.mutable_failure()->set_message(std::move(message));
    return response;
}

}  // namespace bascule::control
