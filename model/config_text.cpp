// SPDX-License-Identifier: Apache-2.0
#include "model/config_text.h"

#include <algorithm>
#include <charconv>

#include "base/suggestion.h"

namespace bascule::model {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto port = parse_integer(text);
    if (!port || *port < 1 || *port > 65535) return {};
    return static_cast<std::uint16_t>(*port);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    return number;
}

std::string suggestion(std::string_view text, const std::vector<std::string_view>& words) {
    const std::string_view best = nearest_word(text, words);
    return best.empty() ? "" : ", did you mean " + quoted(best) + "?";
}

std::string listed(std::span<const std::string_view> words) {
    std::string text;
    for (const std::string_view word : words) {
        if (!text.empty()) text += ", ";
        text += '"' + std::string(word) + '"';
    }
    return text;
}

std::string joined(std::span<const std::string_view> words) {
    std::string text;
    for (std::size_t n = 0; n < words.size(); ++n) {
        if (n > 0) text += n + 1 == words.size() ? " and " : ", ";
        text += words[n];
    }
    return text;
}

std::optional<Network> parse_network(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = Address::parse(text.substr(0, slash));
    if (!address) return {};
    const unsigned whole = address->is_v4() ? 32 : 128;
    if (slash == std::string_view::npos) return Network{*address, whole};
    const std::string_view length_text = text.substr(slash + 1);
    const auto length = parse_integer(length_text);
    if (!length || length_text.front() == '-' || *length > whole) return {};
    return Network{*address, static_cast<unsigned>(*length)};
}

bool is_network(const Network& network) {
    const unsigned length = network.prefix_length + (network.address.is_v4() ? 96 : 0);
    for (unsigned bit = length; bit < 128; ++bit)
        if ((network.address.bytes()[bit / 8] >> (7 - bit % 8) & 1) != 0) return false;
    return true;
}

bool contains(const Network& network, const Address& address) {
    if (network.address.is_v4() != address.is_v4()) return false;
    const unsigned length = network.prefix_length + (network.address.is_v4() ? 96 : 0);
    for (unsigned bit = 0; bit < length; ++bit)
        if (((network.address.bytes()[bit / 8] ^ address.bytes()[bit / 8]) >> (7 - bit % 8) & 1) !=
            0)
            return false;
    return true;
}

std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t port) {
    std::string_view host = text;
    std::optional<std::string_view> digits;
    // A bare IPv6 address has colons of its own: with a port it stands in brackets.
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos) return {};
        host = text.substr(1, end - 1);
        if (host.find(':') == std::string_view::npos) return {};
        if (end + 1 < text.size()) {
            if (text[end + 1] != ':') return {};
            digits = text.substr(end + 2);
        }
    } else if (const auto colon = text.find(':');
               colon != std::string_view::npos &&
               text.find(':', colon + 1) == std::string_view::npos) {
        host = text.substr(0, colon);
        digits = text.substr(colon + 1);
    }
    const auto address = Address::parse(host);
    if (!address) return {};
    if (!digits) return Endpoint{*address, port};
    const auto own = parse_port(*digits);
    if (!own) return {};
    return Endpoint{*address, *own};
}

std::optional<PortRange> parse_ports(std::string_view text) {
    if (text == "any") return PortRange{0, 65535};
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return {};
    const auto first = parse_port(text.substr(0, dash));
    const auto last = parse_port(text.substr(dash + 1));
    if (!first || !last) return {};
    return PortRange{*first, *last};
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    struct Unit {
        std::string_view name;
        std::int64_t milliseconds;
    };
    constexpr Unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
    constexpr std::int64_t longest = std::int64_t{100} * 365 * 86'400'000;
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_integer(text.substr(0, digits));
    for (const Unit& unit : units)
        if (number && text.substr(digits) == unit.name && *number <= longest / unit.milliseconds)
            return std::chrono::milliseconds(*number * unit.milliseconds);
    return {};
}

std::string duration_text(std::int64_t seconds) {
    if (seconds % 86'400 == 0) return std::to_string(seconds / 86'400) + 'd';
    if (seconds % 3600 == 0) return std::to_string(seconds / 3600) + 'h';
    if (seconds % 60 == 0) return std::to_string(seconds / 60) + 'm';
    return std::to_string(seconds) + 's';
}

std::string duration_text(Milliseconds duration) {
    const std::int64_t count = duration.count();
    return count % 1000 == 0 && count != 0 ? duration_text(count / 1000)
                                           : std::to_string(count) + "ms";
}

std::optional<std::string> parse_hex(std::string_view text) {
    std::string bytes;
    for (std::size_t at = 0; at < text.size();) {
        if (text[at] == ' ') {
            ++at;
            continue;
        }
        unsigned byte = 0;
        const char* const first = text.data() + at;
        if (text.size() - at < 2 || std::from_chars(first, first + 2, byte, 16).ptr != first + 2)
            return {};
        bytes += static_cast<char>(byte);
        at += 2;
    }
    return bytes;
}

std::optional<std::vector<StatusRange>> parse_status(std::string_view text) {
    const auto code = [](std::string_view digits) -> std::optional<std::uint16_t> {
        const auto number = parse_integer(digits);
        if (!number || *number < 100 || *number > 599) return {};
        return static_cast<std::uint16_t>(*number);
    };
    std::vector<StatusRange> ranges;
    for (std::size_t at = 0; at <= text.size();) {
        std::string_view part = text.substr(at, text.find(',', at) - at);
        at += part.size() + 1;
        part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
        const std::size_t dash = part.find('-');
        const auto first = code(part.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : code(part.substr(dash + 1));
        if (!first || !last || *first > *last) return {};
        ranges.push_back({*first, *last});
    }
    return ranges;
}

std::string quoted(std::string_view text) {
    constexpr std::size_t most = 60;
    std::string shown = "'";
    std::size_t at = 0;
    // Never ends inside a character of several bytes.
    for (; at < text.size() && (at < most || (text[at] & '\xc0') == '\x80'); ++at) {
        const bool is_control = (text[at] >= 0 && text[at] < ' ') || text[at] == '\x7f';
        // U+0080..U+009F are controls too, and start escape sequences on some terminals.
        const bool is_c1 =
            text[at] == '\xc2' && at + 1 < text.size() && (text[at + 1] & '\xe0') == '\x80';
        if (is_c1) ++at;
        shown += is_control || is_c1 ? '?' : text[at];
    }
    return shown + (at < text.size() ? "…'" : "'");
}

bool is_name(std::string_view text) {
    constexpr std::string_view allowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return !text.empty() && text.size() <= 63 &&
           text.find_first_not_of(allowed) == std::string_view::npos;
}

// As the kernel's dev_valid_name, in ASCII.
bool is_interface_name(std::string_view text) {
    const auto allowed = [](char c) { return c > ' ' && c <= '~' && c != '/' && c != ':'; };
    return !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
           std::all_of(text.begin(), text.end(), allowed);
}

}  // namespace bascule::model
