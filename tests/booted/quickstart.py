# SPDX-License-Identifier: Apache-2.0
"""Follows docs/quickstart.md: what it has typed is typed, and what it shows has to be shown.

A block that begins with ```console holds what is typed, behind the name of the machine, and what is
shown then:

    lb1# bascule check                  lb1, lb2# systemctl enable --now basculed
    …: 1 VIP, 1 service                 you$ curl http://10.9.0.100/

Behind several names the same is typed on each of them in turn. A command ends with its line, or
with the EOF of its <<'EOF'. Numbers and blanks may differ from what is shown, addresses not; a
line `…` stands for any lines, and a `…` in a line for any text. What only looks is typed again
until it shows what it should: a reader would do so, too. Other blocks are not followed.
"""

import re
import time
from dataclasses import dataclass, field

PATIENCE = 20.0  # seconds that a command which only looks may show something else
PROMPT = re.compile(r"^([a-z0-9]+(?:, [a-z0-9]+)*)([#$]) (.*)$")
LOOKS = re.compile(r"^(bascule (status|show|check|events)|curl |bascule-backend (status|self-test)"
                   r"|ip |systemctl (status|is-active))")
HEREDOC = re.compile(r"<<'(\w+)'")
ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+\b")
# A length of time may have other units: 980ms, 1m 2s. A size, too: 0 B, 1.2 KiB.
QUANTITY = r"\d[\d,.]*\s?(?:ns|us|µs|ms|s|m|h|d|B|[KMG]iB)(?!\w)"
NUMBER = re.compile(rf"(?<![\w.]){QUANTITY}(?: {QUANTITY})*|(?<![\w.])\d[\d,.]*")
HASH = re.compile(r"\b[0-9a-f]{8,64}\b")
YOU = "you"


class NotAsShown(Exception):
    """A command did not what the page says."""


@dataclass
class Step:
    line: int      # of the page, where it is typed
    machines: list
    command: str
    shown: list = field(default_factory=list)

    def __str__(self):
        return f"quickstart.md:{self.line}: {', '.join(self.machines)}: {self.command}"


def read(path):
    """The steps of a page, in order."""
    steps, blocks = [], False
    lines = iter(enumerate(path.read_text().splitlines(), 1))
    for number, line in lines:
        if not blocks:
            blocks = line.strip() == "```console"
            continue
        if line.strip() == "```":
            blocks = False
            continue
        prompt = PROMPT.match(line)
        if prompt is None:
            if not steps:
                raise ValueError(f"{path.name}:{number}: nothing was typed that shows this")
            steps[-1].shown.append(line)
            continue
        command = [prompt[3]]
        ends = HEREDOC.search(prompt[3])
        while ends and command[-1] != ends[1]:
            command.append(next(lines)[1])
        steps.append(Step(number, prompt[1].split(", "), "\n".join(command)))
    return steps


def plain(line):
    """A line without what differs from one time to the next."""
    kept = []

    def keep(address):
        kept.append(address[0])
        return f"@{len(kept) - 1}@"

    line = ADDRESS.sub(keep, " ".join(line.split()))
    line = NUMBER.sub("#", HASH.sub("#", line))
    return re.sub("@#@", lambda _: kept.pop(0), line)


def pattern(shown):
    """A regular expression for all that may come where this is shown."""
    parts = []
    for line in shown:
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, plain(line).split("…"))) + r"\n")
    return re.compile("".join(parts))


def fits(shown, said):
    """Whether what was said is what is shown. Empty lines do not count."""
    shown = [line for line in shown if line.strip()]
    said = [plain(line) for line in said.splitlines() if line.strip()]
    return pattern(shown).fullmatch("".join(f"{line}\n" for line in said)) is not None


def follow(step, type_at, tell=lambda text: None):
    """Types a step on its machines. `type_at(machine, command)` returns a CompletedProcess."""
    for machine in step.machines:
        deadline = time.monotonic() + PATIENCE
        while True:
            done = type_at(machine, step.command)
            if done.returncode == 0 and fits(step.shown, done.stdout):
                break
            if time.monotonic() > deadline or not LOOKS.match(step.command):
                raise NotAsShown(f"{step}\n{machine} ended with {done.returncode} and said:\n"
                                 f"{done.stdout}\nshown is:\n" + "\n".join(step.shown))
            time.sleep(0.5)
        tell(f"{machine}: {step.command.splitlines()[0]}\n{done.stdout}")
