# SPDX-License-Identifier: Apache-2.0
"""What the demonstration draws with: a screen that is redrawn, numbers in words, rates."""

import os
import sys

BOLD, DIM, REVERSE, RED, GREEN, YELLOW, BLUE, CYAN = "1", "2", "7", "31", "32", "33", "34", "36"


class Screen:
    """Draws frames on a terminal in place; elsewhere prints lines."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colour = self.live and "NO_COLOR" not in os.environ
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")

    def __enter__(self):
        if self.live:
            self.write("\033[?25l\033[2J")
        return self

    def __exit__(self, *_):
        if self.live:
            self.write("\033[?25h\033[0m\n")

    @staticmethod
    def write(text):
        sys.stdout.write(text)
        sys.stdout.flush()

    def paint(self, text, *codes):
        return f"\033[{';'.join(codes)}m{text}\033[0m" if self.colour and codes else text

    def draw(self, lines):
        # Each line is cleared behind its text: no flicker, and nothing of the last frame remains.
        self.write("\033[H" + "\033[K\n".join(lines) + "\033[K\033[J")


def number(value):
    return f"{value:,}".replace(",", " ")


def milliseconds(value):
    return "–" if value is None else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


def bar(share, width):
    """A bar of blocks: `share` of `width` characters, in eighths of one."""
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


class Rates:
    """Requests a second by backend, over about the last second."""

    def __init__(self):
        self._lines = []

    def feed(self, line):
        if line is not None and (not self._lines or line is not self._lines[-1]):
            self._lines.append(line)
            while len(self._lines) > 2 and line["seconds"] - self._lines[0]["seconds"] > 1.2:
                self._lines.pop(0)

    def by_backend(self):
        if len(self._lines) < 2:
            return {}
        first, last = self._lines[0], self._lines[-1]
        seconds = max(last["seconds"] - first["seconds"], 0.001)
        return {name: (count - first["requests"].get(name, 0)) / seconds
                for name, count in last["requests"].items()}
