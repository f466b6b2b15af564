// SPDX-License-Identifier: Apache-2.0
// The reference of all that `bascule doctor` finds, as Markdown, from the catalogue.
#include "node/doctor_catalogue.h"

namespace bascule::node {

namespace {

constexpr std::string_view introduction =
    R"(# What `bascule doctor` finds

<!-- Generated: build/release/bin/doctor_reference > docs/reference/doctor.md -->

`bascule doctor` looks at the node, its kernel, its interfaces, the ways to its backends and its cluster for
what silently costs packets, or would in the next failure. Each finding has a code that never changes, what it
means, and the command that mends it. It changes nothing itself.

The daemon does the looking. When none answers (it was never started, it was refused, it hangs), `basculed --doctor` looks
from outside, with the rights of who runs it: the configuration and its files, the kernel, the interfaces and the ways to
backends, which it asks for by ARP and neighbour discovery. What only a daemon knows, such as peers, is then
listed as not made. `--config`, `--bpffs`, `--state-dir` say where the daemon would have them.

| severity | |
|---|---|
| problem | clients suffer from it, or would if something else failed: exit code 4 |
| warning | it costs something |
| note | good to know |

`bascule doctor --all` lists every check and its result: `well`, `found`, `not needed` (there is nothing here that
could be so) or `not made`, and why. Without a problem the exit code is 0; 1 says that it could not look at all.

What stands in braces is filled in. A command holds until the next start of the host; where that is so, the
finding says it.
)";

constexpr std::string_view end =
    R"(
## What is not looked at

- On real servers: `bascule-backend self-test` does that, there. A server that answers ARP for a VIP is seen from here
  (`vip-claimed`).
- Firewalls. One that drops heartbeats is seen as `path-down` or `path-one-way`; `nft list ruleset` shows it.
- `net.ipv4.ip_forward`: what is for a VIP is never given to Linux where it could be forwarded in a circle.
- `promote_secondaries`: a VIP is a /32 or /128 and no secondary address.
- `ulimit -l`: since Linux 5.11 BPF maps do not count for it. The kernel's type information (BTF): Bascule's programs need none.
)";

std::string cell(std::string_view text) {
    std::string shown;
    for (const char letter : text)
        shown += letter == '|' ? std::string("\\|") : std::string(1, letter);
    return shown;
}

std::string without_marks(std::string_view text) {
    std::string shown(text);
    for (auto at = shown.find("!}"); at != std::string::npos; at = shown.find("!}"))
        shown.erase(at, 1);
    return shown;
}

std::string mend_of(const DoctorEntry& entry) {
    std::string text;
    if (!entry.command.empty()) text = "`" + without_marks(entry.command) + "`";
    if (entry.advice.empty()) return text;
    return text + (text.empty() ? "" : ". ") + without_marks(entry.advice);
}

}  // namespace

std::string doctor_reference() {
    std::string text(introduction);
    for (const DoctorGroup& group : doctor_catalogue()) {
        text += "\n## " + std::string(group.title) +
                "\n\n| code | severity | what it means | what mends it |\n|---|---|---|---|\n";
        for (const DoctorEntry& entry : group.entries)
            text += "| `" + std::string(entry.code) + "` | " +
                    std::string(name_of(entry.severity)) + " | " + cell(entry.meaning) + " | " +
                    cell(mend_of(entry)) + " |\n";
    }
    text += end;
    return text;
}

}  // namespace bascule::node
