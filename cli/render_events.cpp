// SPDX-License-Identifier: Apache-2.0
#include "cli/render_events.h"

#include <fmt/format.h>

#include "cli/moment.h"
#include "cli/table.h"
#include "cli/wrap.h"

namespace bascule::cli {

namespace {

Colour colour_of(const std::string& kind) {
    for (const char* worse :
         {"backend_down", "service_down", "vip_given_up", "reload_refused", "backend_held",
          "peer_dead", "peer_unsynced", "peer_refused", "path_down", "program_fought"})
        if (kind == worse) return Colour::red;
    for (const char* better :
         {"backend_up", "service_up", "vip_taken_back", "peer_alive", "peer_synced", "path_up"})
        if (kind == better) return Colour::green;
    return Colour::none;
}

}  // namespace

std::string render_event(const control::Event& event, const Screen& screen) {
    const std::string head =
        fmt::format("{:>5} {} ", event.serial(), local_time(event.unix_milliseconds()));
    const std::string kind = fmt::format("{:<14} ", harmless(event.kind()));
    std::string text = harmless(event.subject());
    if (!event.text().empty()) text += (text.empty() ? "" : ": ") + harmless(event.text());
    const std::string lines = wrap(head + kind, text, screen.width);
    // Painted afterwards: a colour has no width.
    return head + paint(kind, colour_of(event.kind()), screen.colours) +
           lines.substr(head.size() + kind.size());
}

}  // namespace bascule::cli
