// SPDX-License-Identifier: Apache-2.0
// Lines with a label in front of the first one of its kind. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/table.h"
#include "cli/wrap.h"

namespace bascule::cli {

class Sheet {
public:
    explicit Sheet(bool colours) : colours_(colours) {}

    void line(std::string_view label, std::string_view text) {
        std::string shown(label == last_ ? "" : label);
        last_ = label;
        shown.resize(label_width, ' ');
        text_ += paint(shown, Colour::dim, colours_);
        text_ += text;
        text_ += '\n';
    }
    // Text without colours, in lines of at most `width` columns, the label's included; 0: no limit.
    // `first` stands before it, and as much room before its other lines.
    void wrapped(std::string_view label, std::string_view text, std::size_t width,
                 std::string_view first = {}) {
        std::string lines = wrap(first, text, width > label_width ? width - label_width : width);
        for (auto end = lines.find('\n'); end != std::string::npos; end = lines.find('\n')) {
            line(label, lines.substr(0, end));
            lines.erase(0, end + 1);
        }
    }
    // `words(colours)` is the same text with colours or without: a line with them where it fits,
    // else lines without.
    template <typename Words>
    void fitted(std::string_view label, Words words, std::size_t width) {
        const std::string plain = words(false);
        if (width == 0 || plain.size() + label_width <= width)
            line(label, words(colours_));
        else
            wrapped(label, plain, width);
    }
    const std::string& text() const { return text_; }

private:
    static constexpr std::size_t label_width = 15;

    bool colours_;
    std::string last_;
    std::string text_;
};

}  // namespace bascule::cli
