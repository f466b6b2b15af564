// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <span>

#include "cli/wrap.h"

namespace bascule::cli {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // of a column that is cut
constexpr const char* kNoteIndent = "    ";

bool continues(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

// Bytes of the printable UTF-8 character that the text begins with; 0: none, or a control
// character.
std::size_t character_length(std::string_view text) {
    auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) return first >= 0x20 && first != 0x7F ? 1 : 0;
    if (first < 0xC2 || first > 0xF4) return 0;
    std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if (!continues(text[i])) return 0;
    }
    // U+0080 to U+009F are control characters too.
    return first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0 ? 0 : length;
}

// Characters on the screen: code points, which is right for all but exotic names.
std::size_t columns_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char byte) { return !continues(byte); }));
}

// At most `width` characters, the last one '~' when something is missing.
std::string cut(std::string_view text, std::size_t width) {
    if (columns_of(text) <= width) return std::string(text);
    std::size_t end = 0;
    for (std::size_t seen = 0; end < text.size(); ++end) {
        if (!continues(text[end]) && ++seen == width) break;
    }
    return std::string(text.substr(0, end)) + "~";
}

std::string three_digits(double value) {
    if (value < 9.995) return fmt::format("{:.2f}", value);
    if (value < 99.95) return fmt::format("{:.1f}", value);
    return fmt::format("{:.0f}", value);
}

// `n` in the first unit that needs no more than three digits before the point.
std::string scaled(std::uint64_t n, double step, std::span<const std::string_view> units) {
    auto value = static_cast<double>(n);
    std::size_t unit = 0;
    // 999.5 would be printed as 1000.
    while (unit + 1 < units.size() &&
           (unit == 0 ? value >= step : value >= std::min(step, 999.5))) {
        value /= step;
        ++unit;
    }
    return (unit == 0 ? std::to_string(n) : three_digits(value)) + std::string(units[unit]);
}

std::size_t total(const std::vector<std::size_t>& widths, const std::vector<bool>& shown) {
    std::size_t sum = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        if (!shown[i]) continue;
        sum += widths[i];
        ++count;
    }
    return sum + (count > 0 ? (count - 1) * kGap : 0);
}

// The shown column with the highest `spare` above 0.
std::optional<std::size_t> most_spare(const std::vector<Column>& columns,
                                      const std::vector<bool>& shown) {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (!shown[i] || columns[i].spare == 0) continue;
        if (!found || columns[i].spare > columns[*found].spare) found = i;
    }
    return found;
}

void narrow(const std::vector<Column>& columns, const std::vector<bool>& shown, std::size_t width,
            std::vector<std::size_t>& widths) {
    while (total(widths, shown) > width) {
        std::optional<std::size_t> widest;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            if (!shown[i] || !columns[i].may_be_cut || widths[i] <= kNarrowest) continue;
            if (!widest || widths[i] > widths[*widest]) widest = i;
        }
        if (!widest) return;
        --widths[*widest];
    }
}

std::string padded(std::string_view text, std::size_t width, Column::Align align, bool last) {
    std::string result = cut(text, width);
    std::string pad(width - columns_of(result), ' ');
    if (align == Column::Align::right) return pad + result;
    return last ? result : result + pad;
}

}  // namespace

std::string paint(std::string_view text, Colour colour, bool colours) {
    static constexpr std::array<const char*, 6> codes = {"", "32", "33", "31", "1", "2"};
    if (!colours || colour == Colour::none || text.empty()) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<std::size_t>(colour)], text);
}

std::string harmless(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        std::size_t length = character_length(text);
        result += length > 0 ? text.substr(0, length) : "?";
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
}

std::string short_count(std::uint64_t n) {
    static constexpr std::array<std::string_view, 7> units = {"", "k", "M", "G", "T", "P", "E"};
    return n < 10'000 ? std::to_string(n) : scaled(n, 1000, units);
}

std::string short_bytes(std::uint64_t n) {
    static constexpr std::array<std::string_view, 7> units = {" B",   " KiB", " MiB", " GiB",
                                                              " TiB", " PiB", " EiB"};
    return scaled(n, 1024, units);
}

std::string short_duration(std::uint64_t seconds) {
    std::uint64_t minutes = seconds / 60;
    std::uint64_t hours = minutes / 60;
    std::uint64_t days = hours / 24;
    if (minutes == 0) return fmt::format("{}s", seconds);
    if (hours == 0) return fmt::format("{}m {}s", minutes, seconds % 60);
    if (days == 0) return fmt::format("{}h {}m", hours, minutes % 60);
    return fmt::format("{}d {}h", days, hours % 24);
}

std::string short_share(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) return "-";
    double share = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
    if (part > 0 && share < 0.05) return "<0.1%";
    return fmt::format("{:.1f}%", share);
}

std::string counted(std::uint64_t n, std::string_view one, std::string_view many) {
    return fmt::format("{} {}", short_count(n), n == 1 ? one : many);
}

std::vector<std::size_t> Table::natural_widths() const {
    std::vector<std::size_t> widths;
    for (const auto& column : columns_)
        widths.push_back(columns_of(column.heading));
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            widths[i] = std::max(widths[i], columns_of(harmless(row.cells[i].text)));
        }
    }
    return widths;
}

std::string Table::to_string(std::size_t width, bool colours) const {
    std::vector<std::size_t> widths = natural_widths();
    std::vector<bool> shown(columns_.size(), true);
    std::string left_out;
    while (width > 0 && total(widths, shown) > width) {
        auto spare = most_spare(columns_, shown);
        if (!spare) break;
        shown[*spare] = false;
        left_out += (left_out.empty() ? "" : ", ") + columns_[*spare].heading;
    }
    if (width > 0) narrow(columns_, shown, width, widths);

    std::size_t last = columns_.size();
    while (last > 0 && !shown[last - 1])
        --last;
    std::string text;
    auto line = [&](auto cell_at) {
        std::string gap;
        for (std::size_t i = 0; i < last; ++i) {
            if (!shown[i]) continue;
            Cell cell = cell_at(i);
            text += gap +
                    paint(padded(harmless(cell.text), widths[i], columns_[i].align, i + 1 == last),
                          cell.colour, colours);
            gap = std::string(kGap, ' ');
        }
        text += '\n';
    };
    line([&](std::size_t i) { return Cell{columns_[i].heading, Colour::bold}; });
    for (const auto& row : rows_) {
        line([&](std::size_t i) { return row.cells[i]; });
        for (const auto& note : row.notes)
            text += wrap(kNoteIndent + note.first, harmless(note.text), width);
    }
    if (!left_out.empty()) {
        text += paint(fmt::format("(no room for {}: widen the terminal, or --json)", left_out),
                      Colour::dim, colours) +
                '\n';
    }
    return text;
}

}  // namespace bascule::cli
