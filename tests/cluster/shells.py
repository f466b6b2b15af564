# SPDX-License-Identifier: Apache-2.0
"""Completion as shells do it: bash's functions, driven as readline would; zsh's on a terminal.

Each shell is a process that goes on from one question to the next, with the programs under test
first in its PATH. `words(line)` is what it offers at the end of the line.
"""

import os
import pty
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
BASH_LIBRARY = Path("/usr/share/bash-completion/bash_completion")
BASH_FILES = [TREE / "cli/completion/bascule.bash", TREE / "cli/completion/basculed.bash",
              TREE / "backend/completion/bascule-backend.bash"]
ZSH_FOLDERS = [TREE / "cli/completion", TREE / "backend/completion"]
ANSWER_SECONDS = 30  # the machine may be busy; the shells bound what they ask of the daemon

# Reads a line, and prints what would be offered behind it, then an empty line.
BASH_DRIVER = r"""
while IFS= read -r line; do
    read -ra COMP_WORDS <<<"$line"
    [[ $line != *" " ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line} COMPREPLY=()
    spec=$(complete -p "${COMP_WORDS[0]##*/}")
    function=${spec#*-F }
    "${function%% *}" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\n' "${COMPREPLY[@]}" | sed '/^$/d; s/ *$//'
    echo
done
"""

# What is offered goes to a file: a terminal would show it in columns. ^X asks.
ZSH_SETUP = r"""
PS1= PS2= KEYTIMEOUT=1 zle_highlight=(none)  # ^X begins other keys, too
autoload -Uz compinit && compinit -u -d $OFFERS.dump
zstyle ':completion:*' completer _complete
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a offered
    builtin compadd -A offered "$@"
    (( $#offered )) && print -rl -- $offered >>$OFFERS
    builtin compadd "$@"
}
ask() { _main_complete; compstate[list]= compstate[insert]=; print -r -- "#end" >>$OFFERS }
zle -C ask list-choices ask
bindkey '^X' ask
print -r -- "#end" >>$OFFERS
"""


def path_with(programs):
    return f"{programs}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class Bash:
    def __init__(self, programs, prefix=()):
        driver = "\n".join([f". {BASH_LIBRARY}", *(f". {file}" for file in BASH_FILES),
                            BASH_DRIVER])
        self.process = subprocess.Popen(
            [*prefix, "bash", "--norc", "--noprofile", "-c", driver], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path_with(programs), "LC_ALL": "C.UTF-8"})

    def words(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        words = []
        for answer in self.process.stdout:
            if answer == "\n":
                return words
            words.append(answer.rstrip("\n"))
        raise RuntimeError(f"bash ended at {line!r}: {words}")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Zsh:
    def __init__(self, programs, prefix=()):
        self.folder = Path(tempfile.mkdtemp(prefix="bascule-zsh."))
        self.offers = self.folder / "offers"
        self.offers.touch()
        (self.folder / "setup").write_text(ZSH_SETUP)
        environment = {**os.environ, "PATH": path_with(programs), "LC_ALL": "C.UTF-8",
                       "TERM": "xterm", "OFFERS": str(self.offers), "ZDOTDIR": str(self.folder)}
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            command = [*prefix, "zsh", "-f", "-i"]
            try:
                os.execvpe(command[0], command, environment)
            finally:
                os._exit(127)
        folders = " ".join(map(str, ZSH_FOLDERS))
        self._type(f"fpath=({folders} $fpath); . {self.folder}/setup\n")
        self._answer("its start")

    def words(self, line):
        self.offers.write_text("")
        self._type("\x15" + line + "\x18")  # ^U, the line, ^X
        return self._answer(line)

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)
        shutil.rmtree(self.folder)

    def _type(self, text):
        os.write(self.terminal, text.encode())

    def _answer(self, line):
        """What stands in the file of offers; what the terminal shows is thrown away."""
        until = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < until:
            if select.select([self.terminal], [], [], 0.01)[0]:
                os.read(self.terminal, 65536)
            *words, end = self.offers.read_text().splitlines() or [""]
            if end == "#end":
                return words
        raise RuntimeError(f"zsh does not answer: {line!r}")
