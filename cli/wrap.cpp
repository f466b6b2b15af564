// SPDX-License-Identifier: Apache-2.0
#include "cli/wrap.h"

#include <algorithm>

namespace bascule::cli {

namespace {

constexpr std::size_t least = 20;  // columns of text, however narrow the terminal

}  // namespace

std::string wrap(std::string_view first, std::string_view text, std::size_t width) {
    const std::string room(first.size(), ' ');
    const std::size_t most = width == 0                     ? std::string_view::npos
                             : width > first.size() + least ? width - first.size()
                                                            : least;
    std::string lines;
    do {
        std::size_t count = text.size();
        if (count > most) {
            const std::size_t space = text.rfind(' ', most);
            count = space == std::string_view::npos || space == 0 ? most : space;
        }
        lines += lines.empty() ? std::string(first) : room;
        lines += text.substr(0, count);
        lines += '\n';
        text.remove_prefix(std::min(text.size(), text.find_first_not_of(' ', count)));
    } while (!text.empty());
    return lines;
}

}  // namespace bascule::cli
