// SPDX-License-Identifier: Apache-2.0
#include "health/dns_reader.h"

#include <algorithm>
#include <array>

#include "base/address.h"

namespace bascule::health::dns {

namespace {

constexpr std::size_t most_name = 255;
constexpr int most_jumps = 127;            // a name has no more labels
constexpr std::uint8_t label_bits = 0xc0;  // 00: a label, 11: a pointer, the rest is none

void put_printable(std::string& out, char c) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '.' || c == '\\') out += '\\';
    if (c > ' ' && c <= '~') {
        out += c;
        return;
    }
    const auto value = static_cast<std::uint8_t>(c);
    out += '\\';
    for (const int place : {100, 10, 1})
        out += static_cast<char>('0' + value / place % 10);
}

}  // namespace

bool Reader::has(std::size_t count) {
    broken_ = broken_ || end_ - at_ < count;
    return !broken_;
}

std::optional<std::uint16_t> Reader::u16() {
    if (!has(2)) return std::nullopt;
    at_ += 2;
    return static_cast<std::uint16_t>(byte(at_ - 2) << 8 | byte(at_ - 1));
}

void Reader::skip(std::size_t count) {
    if (has(count)) at_ += count;
}

std::optional<std::string> Reader::name() {
    std::string out;
    std::size_t wire_size = 1;  // the root's
    std::size_t at = at_;
    std::size_t end = end_;
    std::size_t start = at_;  // of the labels that are being read: a pointer leads before it
    int jumps = 0;
    for (;;) {
        if (broken_ || at >= end) break;
        const std::uint8_t length = byte(at);
        if (length == 0) {
            if (jumps == 0) at_ = at + 1;
            return out;
        }
        if ((length & label_bits) == label_bits) {
            if (end - at < 2) break;
            const std::size_t target = std::size_t{length & 0x3fU} << 8 | byte(at + 1);
            if (target >= start || jumps == most_jumps) break;
            if (jumps++ == 0) at_ = at + 2;
            at = start = target;
            end = message_.size();
            continue;
        }
        wire_size += length + std::size_t{1};
        if ((length & label_bits) != 0 || end - at <= length || wire_size > most_name) break;
        if (!out.empty()) out += '.';
        for (const char c : message_.substr(at + 1, length))
            put_printable(out, c);
        at += length + std::size_t{1};
    }
    broken_ = true;
    return std::nullopt;
}

Reader Reader::part(std::size_t size) {
    Reader inner(message_, at_, at_);
    if (has(size)) inner.end_ = at_ += size;
    inner.broken_ = broken_;
    return inner;
}

std::optional<std::string> Reader::address(std::size_t size) {
    broken_ = broken_ || end_ - at_ != size;
    if (broken_) return std::nullopt;
    if (size == 4) {
        std::array<std::uint8_t, 4> four{};
        std::copy_n(message_.begin() + static_cast<std::ptrdiff_t>(at_), 4, four.begin());
        return Address::v4(four).to_string();
    }
    Address::Bytes sixteen{};
    std::copy_n(message_.begin() + static_cast<std::ptrdiff_t>(at_), sixteen.size(),
                sixteen.begin());
    return Address(sixteen).to_string();
}

std::optional<std::string> Reader::strings() {
    std::string out;
    while (!broken_ && at_ < end_) {
        const std::size_t size = byte(at_);
        ++at_;
        if (!has(size)) break;
        out += message_.substr(at_, size);
        at_ += size;
    }
    if (broken_) return std::nullopt;
    return out;
}

}  // namespace bascule::health::dns
