// SPDX-License-Identifier: Apache-2.0
#include "health/outcome.h"

#include <stdexcept>

namespace bascule::health {

const char* name_of(Failure failure) {
    switch (failure) {
        case Failure::none:
            return "none";
        case Failure::refused:
            return "refused";
        case Failure::unreachable:
            return "unreachable";
        case Failure::timed_out:
            return "timed_out";
        case Failure::closed:
            return "closed";
        case Failure::tls:
            return "tls";
        case Failure::certificate:
            return "certificate";
        case Failure::status:
            return "status";
        case Failure::content:
            return "content";
        case Failure::protocol:
            return "protocol";
        case Failure::too_big:
            return "too_big";
        case Failure::path:
            return "path";
        case Failure::local:
            return "local";
    }
    throw std::logic_error("a failure has no name");
}

std::string quoted(std::string_view text, std::size_t most) {
    std::string out = "\"";
    for (const char c : text.substr(0, most))
        out += c >= ' ' && c <= '~' && c != '"' ? c : '.';
    return out + (text.size() > most ? "…\"" : "\"");
}

}  // namespace bascule::health
