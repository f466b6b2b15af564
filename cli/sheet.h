// SPDX-License-Identifier: Apache-2.0
// Lines with a label in front of the first one of its kind. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "cli/table.h"

namespace bascule::cli {

class Sheet {
public:
    explicit Sheet(bool colours) : colours_(colours) {}

    void line(std::string_view label, std::string_view text) {
        std::string shown(label == last_ ? "" : label);
        last_ = label;
        shown.resize(15, ' ');
        text_ += paint(shown, Colour::dim, colours_);
        text_ += text;
        text_ += '\n';
    }
    const std::string& text() const { return text_; }

private:
    bool colours_;
    std::string last_;
    std::string text_;
};

}  // namespace bascule::cli
