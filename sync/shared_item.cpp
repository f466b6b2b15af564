// SPDX-License-Identifier: Apache-2.0
#include "sync/shared_item.h"

#include <fmt/format.h>

#include <tuple>

#include "model/config_text.h"

namespace bascule::sync {

namespace {

// Bytes of the UTF-8 character that the text begins with (RFC 3629, 4); 0: none, or a control
// character.
std::size_t character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; i++)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    const unsigned char second = byte(1);
    // Longer than it need be, a surrogate, or beyond the last character.
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return 0;
    return length;
}

bool is_plain(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = character(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string flaw_of_text(std::string_view what, std::string_view text, std::size_t most) {
    if (text.size() > most)
        return fmt::format("its {} has {} bytes, at most {}", what, text.size(), most);
    if (!is_plain(text)) return fmt::format("its {} is not plain UTF-8", what);
    return "";
}

// FNV-1a, 64 bits, then the finalizer of MurmurHash3: sums of them are compared.
class Hash {
public:
    void add(std::string_view bytes) {
        for (const char byte : bytes)
            add_byte(static_cast<unsigned char>(byte));
        add(bytes.size());
    }
    void add(std::uint64_t number) {
        for (unsigned shift = 0; shift < 64; shift += 8)
            add_byte(static_cast<unsigned char>(number >> shift));
    }
    std::uint64_t value() const {
        std::uint64_t mixed = value_;
        mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccdULL;
        mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53ULL;
        return mixed ^ (mixed >> 33);
    }

private:
    void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }

    std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace

std::string_view kind_of(std::string_view key) {
    const std::size_t slash = key.find('/');
    return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

std::string flaw_of(const SharedItem& item) {
    if (auto flaw = flaw_of_text("key", item.key, most_shared_key); !flaw.empty()) return flaw;
    if (auto flaw = flaw_of_text("value", item.value, most_shared_value); !flaw.empty())
        return flaw;
    if (!model::is_name(item.origin)) return "its origin is not the name of a node";
    const std::size_t kind = kind_of(item.key).size();
    if (kind == 0 || kind + 1 == item.key.size()) return "its key is not KIND/NAME";
    if (item.time == 0 || item.time >= latest_time) return "its time is out of range";
    if (item.expires >= milliseconds_of(latest_time)) return "its expiry is out of range";
    if (item.removed && (!item.value.empty() || item.expires != 0))
        return "it is taken back, and has a value or an expiry";
    return "";
}

bool has_register_for_each_origin(std::string_view kind) {
    return kind == "mode";
}

std::string register_of(const SharedItem& item) {
    if (!has_register_for_each_origin(kind_of(item.key))) return item.key;
    return item.key + register_separator + item.origin;
}

bool beats(const SharedItem& one, const SharedItem& other) {
    return std::tie(one.time, one.origin, one.removed, one.value, one.expires) >
           std::tie(other.time, other.origin, other.removed, other.value, other.expires);
}

bool has_expired(const SharedItem& item, WallMilliseconds now) {
    return item.expires != 0 && item.expires <= now;
}

std::uint64_t fingerprint_of(const SharedItem& item) {
    Hash hash;
    hash.add(item.key);
    hash.add(item.value);
    hash.add(item.origin);
    hash.add(item.time);
    hash.add(std::uint64_t{item.removed});
    hash.add(item.expires);
    return hash.value();
}

std::uint32_t bucket_of(std::string_view key) {
    Hash hash;
    hash.add(key);
    return static_cast<std::uint32_t>(hash.value() % shared_buckets);
}

}  // namespace bascule::sync
