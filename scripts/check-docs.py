#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the documentation points at is there.

    check-docs.py [--self-test] [ROOT]

In every Markdown file of the tree: each relative link leads to a file, and its #fragment to a heading
of it; each `path` in backticks that begins with a folder of the tree, or has one of its suffixes, is
a file of it, or a folder, or what files are called but for their suffix (`node/state`). Whatever is
only there once something was built or installed begins otherwise (build/, /etc) and is not looked
at, nor are placeholders such as NAME.h and x.h. Needs no build and no root.
--self-test shows that each rule can fail. Status: 0 nothing wrong, 1 dead ends, 2 cannot run.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`]+)`")
# A path, with groups as a shell has them: tests/{bpf,unit}/*.cpp. Nothing else that may stand in code.
PATH = re.compile(r"[\w.*{},-]+(/[\w.*{},-]+)*/?")
SUFFIXES = (".h", ".cpp", ".py", ".sh", ".md", ".cmake", ".proto", ".toml", ".bash")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$")


def tracked(root):
    """Files that git knows or would, or without git all; and the folders that they are in."""
    listed = subprocess.run([TREE / "scripts/list-sources.sh", "*"], capture_output=True, text=True,
                            check=True).stdout.splitlines() if root == TREE else [
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    return set(listed)


def anchors(text):
    """The fragments that lead to headings, as GitHub makes them."""
    found, code = {}, False
    for line in text.splitlines():
        code ^= line.startswith("```")
        heading = HEADING.match(line)
        if code or not heading:
            continue
        name = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
        name = re.sub(r"[^\w\- ]", "", name).replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        if count:
            found[f"{name}-{count}"] = 1
    return set(found)


def prose(text):
    """(number, line) of lines that are no code blocks."""
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code:
            yield number, line


def braces(path):
    """a/{b,c}.h -> a/b.h, a/c.h"""
    group = re.search(r"\{([^{}]*)\}", path)
    if not group:
        return [path]
    return [each for word in group[1].split(",")
            for each in braces(path[:group.start()] + word + path[group.end():])]


def exists(files, folder, path):
    """Beside the document, or from the root; the end of a path will do for a bare name."""
    for start in (f"{folder}/" if folder != "." else "", ""):
        name = start + path.rstrip("/")
        pattern = re.compile(re.escape(name).replace(r"\*", "[^/]*") + r"(/.*|\.[a-z]+)?")
        if any(pattern.fullmatch(file) for file in files):
            return True
    if "/" in path:
        return False
    pattern = re.compile("(.*/)?" + re.escape(path).replace(r"\*", "[^/]*"))
    return any(pattern.fullmatch(file) for file in files)


def check_link(root, files, document, target):
    if re.match(r"[a-z]+:", target):
        return None
    path, _, fragment = target.partition("#")
    full = (document.parent / path) if path else document
    parts = []
    for part in full.parts:
        if part == "..":
            if not parts:
                return "leads out of the tree"
            parts.pop()
        elif part != ".":
            parts.append(part)
    name = "/".join(parts)
    if name not in files and not any(file.startswith(name + "/") for file in files):
        return "is not there"
    if fragment and name.endswith(".md") and fragment not in anchors((root / name).read_text()):
        return "has no such heading"
    return None


def looks_like_ours(path, folders):
    if not PATH.fullmatch(path) or path.startswith((".", "-")) and not path.startswith(".ci"):
        return False
    first = path.split("/")[0]
    if "/" in path:
        return first in folders
    return path.endswith(SUFFIXES) and not re.match(r"\*|[a-zA-Z]\.|NAME\.", path)


def check(root):
    files = tracked(root)
    folders = {file.split("/")[0] for file in files if "/" in file}
    documents = sorted(Path(file) for file in files if file.endswith(".md"))
    if not documents:
        raise SystemExit("check-docs: found none")
    for document in documents:
        for number, line in prose((root / document).read_text()):
            for target in LINK.findall(CODE.sub("", line)):
                wrong = check_link(root, files, document, target)
                if wrong:
                    yield f"{document}:{number}: {target} {wrong}"
            for code in CODE.findall(line):
                for path in braces(code) if looks_like_ours(code, folders) else []:
                    if not exists(files, str(document.parent), path):
                        yield f"{document}:{number}: `{path}` is not in the tree"


def self_test():
    well = {"README.md": "# A b\n[x](docs/a.md) [y](#a-b) `docs/a.md` `base/{xx,yy}.h` `xx.h` `/etc/a.h` `base/xx`\n"
                         "```\n[no](no.md) `base/no.h`\n```\n[z](https://example.org/no)\n",
            "docs/a.md": "# What `it` is\n[up](../README.md) [here](#what-it-is) `base/*.h`\n",
            "base/xx.h": "", "base/yy.h": ""}
    ill = {"a link": ("README.md", "[x](docs/b.md)\n"),
           "a fragment": ("README.md", "[x](docs/a.md#nothing)\n"),
           "a way out": ("docs/a.md", "# What `it` is\n[x](../../x.md)\n"),
           "a path": ("README.md", "`base/zz.h`\n"),
           "a group": ("README.md", "`base/{xx,zz}.h`\n"),
           "a bare name": ("README.md", "`zz.h`\n"),
           "a name without its suffix": ("README.md", "`base/zz`\n"),
           "a pattern": ("README.md", "`base/*.cpp`\n")}
    found = []
    for what, change in [("what is well", None), *ill.items()]:
        with tempfile.TemporaryDirectory(prefix="bascule-docs.") as folder:
            for name, text in {**well, **dict([change] if change else [])}.items():
                path = Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            wrong = list(check(Path(folder)))
        if (change is None) != (not wrong):
            found.append(f"self-test: {what}: {wrong or 'went unnoticed'}")
    return found


def main(arguments):
    is_test = arguments[:1] == ["--self-test"]
    found = self_test() if is_test else list(check(
        Path(arguments[0]).resolve() if arguments else TREE))
    for line in found:
        print(line)
    print(f"documents: {len(found)} dead ends")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
