// SPDX-License-Identifier: Apache-2.0
// Text for people: numbers they can take in, and tables that keep to a width.
//
// Pure, any thread. What comes from files or from the daemon is made harmless for a terminal here:
// no control character gets through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bascule::cli {

enum class Colour { none, green, yellow, red, bold, dim };

// The text in that colour when `colours`, else as it is.
std::string paint(std::string_view text, Colour colour, bool colours);

// Control characters and what is no UTF-8 become '?'; all else stays.
std::string harmless(std::string_view text);

// "1234", "12.3k", "4.56M", "789G": three digits from 10,000 on.
std::string short_count(std::uint64_t n);
// "512 B", "1.50 KiB", "12.3 GiB".
std::string short_bytes(std::uint64_t n);
// "5s", "12m 5s", "4h 12m", "3d 4h".
std::string short_duration(std::uint64_t seconds);
// "12.3%" of `whole`; "-" when there is no whole.
std::string short_share(std::uint64_t part, std::uint64_t whole);
// "1 session", "2 sessions".
std::string counted(std::uint64_t n, std::string_view one, std::string_view many);

struct Column {
    enum class Align { left, right };
    std::string heading;
    Align align = Align::left;
    // When the table is too wide: columns with `spare` go first, the highest number before others;
    // then those that may be cut are.
    int spare = 0;
    bool may_be_cut = false;
};

struct Cell {
    std::string text;
    Colour colour = Colour::none;
};

class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

    // As many cells as columns.
    void add(std::vector<Cell> cells) { rows_.push_back({std::move(cells), {}}); }
    // A sentence below the row that was added last, over all columns, in lines as wide as they may
    // be. `first` stands before it, and as much room before its other lines.
    void note(std::string text, std::string first = {}) {
        rows_.back().notes.push_back({std::move(first), std::move(text)});
    }
    bool empty() const { return rows_.empty(); }

    // Lines with their ends. `width`: columns of the terminal, 0: no limit. Columns that were left
    // out for want of width are named in a last line.
    std::string to_string(std::size_t width, bool colours) const;

private:
    struct Note {
        std::string first;
        std::string text;
    };
    struct Row {
        std::vector<Cell> cells;
        std::vector<Note> notes;
    };
    std::vector<std::size_t> natural_widths() const;

    std::vector<Column> columns_;
    std::vector<Row> rows_;
};

}  // namespace bascule::cli
