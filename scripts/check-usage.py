#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What is told of the programs' commands and options, against what --help of each says.

    check-usage.py [--self-test] [DIRECTORY OF PROGRAMS]

The help of every command is read, and held to its form. Then each option and command has to stand in
its manual page, in the reference and in the completion of bash and zsh, and nothing else may.
--self-test shows that each comparison can fail. Needs bash-completion and zsh; no daemon, no root.
Status: 0 nothing wrong, 1 differences, 2 cannot run.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests" / "cluster"))
sys.dont_write_bytecode = True
import shells  # noqa: E402

COLUMNS = 100
MAN = {"bascule": "bascule.1", "basculed": "basculed.8", "bascule-backend": "bascule-backend.8"}
# Options that an outer command gives to the ones below it.
HELP = {"--help", "-h"}


@dataclass
class Command:
    """A command by its words: ("show", "vips"); the program itself by none."""

    words: tuple
    options: set = field(default_factory=set)
    commands: list = field(default_factory=list)


def help_text(program, words):
    ended = subprocess.run([program, *words, "--help"], capture_output=True, text=True, timeout=60,
                           check=True)
    return ended.stdout


def read_help(program, words=()):
    """The command and all below it, by their words."""
    command, section = Command(words), ""
    for line in help_text(program, words).splitlines():
        if re.fullmatch(r"[A-Z]\w+:", line):
            section = line
        elif section == "Options:" and re.match(r"  -", line):
            names = line.split()[0].split(",")
            command.options |= set(names)
        elif section == "Commands:" and re.match(r"  \w", line):
            command.commands.append(line.split()[0])
    found = {words: command}
    for word in command.commands:
        found.update(read_help(program, words + (word,)))
    return found


def check_form(program, name, commands):
    """Help fits a terminal, and tells what each command is for."""
    for words in commands:
        title = " ".join([name, *words])
        lines = help_text(program, words).splitlines()
        for line in lines:
            if len(line) > COLUMNS:
                yield f"{title} --help: {len(line)} columns: {line}"
        if not any(line.startswith(f"Usage: {title}") for line in lines):
            yield f"{title} --help: no usage of {title}"


# ---- manual pages ----

def man_flags(lines):
    """Options that lines of mdoc(7) name: Fl -json, Fl f , -follow."""
    named = r"-?[a-z][\w-]*"
    return {"-" + flag for line in lines
            for group in re.findall(rf"\bFl ({named}(?: [,|] {named})*)", line)
            for flag in re.findall(named, group)}


def man_commands(text):
    """Command -> the lines about it: the items of the outermost list that begins with one."""
    blocks, depth, listed, current = {}, 0, False, None
    for line in text.splitlines():
        if line.startswith(".Bl"):
            depth += 1
            continue
        if line.startswith(".El"):
            depth -= 1
            if depth == 0 and blocks:
                listed = True
            continue
        item = re.match(r"\.It Cm ([a-z -]+?)(?: (?:Ar|Op|Oo|Fl|Cm) .*)?$", line)
        if depth == 1 and not listed and item:
            current = tuple(item[1].split())
            blocks[current] = [line]
        elif current and depth >= 1 and not listed:
            blocks[current].append(line)
    return blocks


def check_man(name, commands, text):
    page = MAN[name]
    everywhere = man_flags(text.splitlines())
    known = set().union(*(command.options for command in commands.values()))
    for flag in sorted(everywhere - known):
        yield f"{page}: {name} has no option {flag}"
    blocks = man_commands(text)
    leaves = {words for words, command in commands.items() if words and not command.commands}
    for words in sorted(leaves - set(blocks)):
        yield f"{page}: nothing about '{' '.join(words)}'"
    for words in sorted(set(blocks) - leaves):
        yield f"{page}: {name} has no '{' '.join(words)}'"
    for words, command in commands.items():
        told = man_flags(blocks[words]) if words in blocks else everywhere
        for option in sorted(command.options - told - (HELP if words else {"-h"})):
            yield f"{page}: nothing about {' '.join((name, *words, option))}"


# ---- the reference ----

def check_reference(commands, text):
    """The first table has a row for each command; every option stands somewhere."""
    rows = [row for row in text.splitlines() if row.startswith("| `")]
    leaves = {words for words, command in commands.items() if words and not command.commands}
    for words in sorted(leaves):
        title = " ".join(words)
        if not any(re.match(rf"\| `{title}[ `]", row) for row in rows):
            yield f"command.md: no row for `{title}`"
    for words, command in commands.items():
        for option in sorted(command.options - {"-h"}):
            if not re.search(rf"{option}\b", text):
                yield f"command.md: nothing about {' '.join((*words, option))}"


# ---- completion ----

def check_completion(shell, name, commands):
    title = type(shell).__name__.lower()
    common = {option for option in commands[()].options if option.startswith("--")} - {"--version"}
    for words, command in commands.items():
        line = " ".join([name, *words])
        if command.commands:
            offered = set(shell.words(line + " "))
            for word in sorted(offered ^ set(command.commands)):
                kind = "offers" if word in offered else "does not offer"
                yield f"{title}: {kind} '{line} {word}'"
        wanted = {option for option in command.options if option.startswith("--")} | common
        offered = set(shell.words(line + " --"))
        for option in sorted(offered ^ wanted):
            kind = "offers" if option in offered else "does not offer"
            yield f"{title}: {kind} '{line} {option}'"


def check(programs):
    found = []
    open_shells = [shells.Bash(programs), shells.Zsh(programs)]
    try:
        for name, page in MAN.items():
            program = programs / name
            commands = read_help(program)
            found += check_form(program, name, commands)
            found += check_man(name, commands, (TREE / "docs/man" / page).read_text())
            if name == "bascule":
                found += check_reference(commands,
                                         (TREE / "docs/reference/command.md").read_text())
            for shell in open_shells:
                found += check_completion(shell, name, commands)
    finally:
        for shell in open_shells:
            shell.close()
    return found


# ---- self-test ----

class Canned:
    """A shell that offers what it is told."""

    def __init__(self, answers):
        self.answers = answers

    def words(self, line):
        return self.answers[line]


def self_test():
    commands = {(): Command((), {"--json", "-h", "--help", "--version"}, ["go"]),
                ("go",): Command(("go",), {"-h", "--help", "--far"})}
    page = (".Bl -tag\n.It Cm go Op Fl -far\nIt goes.\n.El\n.Bl -tag\n.It Fl -json\n"
            ".It Fl -help , Fl -version\n.El\n")
    reference = "| `go [--far]` | it goes |\n`--json` `--help` `--version`\n"
    answers = {"bascule ": ["go"], "bascule --": ["--json", "--help", "--version"],
               "bascule go --": ["--json", "--help", "--far"]}
    well = [*check_man("bascule", commands, page), *check_reference(commands, reference),
            *check_completion(Canned(answers), "bascule", commands)]
    if well:
        return [f"self-test: found in what is well: {well}"]
    ill = [
        check_man("bascule", commands, page.replace(" Op Fl -far", "")),
        check_man("bascule", commands, page.replace("Cm go", "Cm run")),
        check_man("bascule", commands, page.replace("It goes.", "With\n.Fl -fast .")),
        check_man("bascule", commands, page.replace(".It Fl -json\n", "")),
        check_reference(commands, reference.replace("| `go", "| `run")),
        check_reference(commands, reference.replace("--far", "")),
        check_completion(Canned({**answers, "bascule ": []}), "bascule", commands),
        check_completion(Canned({**answers, "bascule ": ["go", "run"]}), "bascule", commands),
        check_completion(Canned({**answers, "bascule go --": ["--json", "--help"]}), "bascule",
                         commands),
        check_completion(Canned({**answers, "bascule --": [*answers["bascule --"], "--fast"]}),
                         "bascule", commands),
    ]
    return [f"self-test: {number} found nothing" for number, one in enumerate(ill)
            if not list(one)]


def main(arguments):
    if arguments[:1] == ["--self-test"]:
        found = self_test()
    else:
        programs = Path(arguments[0] if arguments else TREE / "build/release/bin").resolve()
        missing = [str(programs / name) for name in MAN if not (programs / name).exists()]
        missing += [shell for shell in ("bash", "zsh") if not shutil.which(shell)]
        missing += [str(shells.BASH_LIBRARY)] if not shells.BASH_LIBRARY.exists() else []
        if missing:
            print(f"check-usage: missing: {', '.join(missing)}", file=sys.stderr)
            return 2
        found = check(programs)
    for line in found:
        print(line)
    print(f"usage: {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
