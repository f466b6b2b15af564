#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sources to the layering: base <- model <- {dataplane, health, sync} <- node.

    check-layering.py [--self-test] [ROOT]

Looks at every #include and at what every CMake target links, and prints each violation as
file:line: what is wrong. --self-test shows on made trees that each rule can fail. The linker alone
would not notice a header that is only included, nor a library that should never have been linked.
Status: 0 nothing wrong, 1 violations, 2 cannot run.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

# Folder -> the folders of the project whose headers it may include, besides its own.
MAY_SEE = {
    "base": set(),
    "bpf": set(),
    "model": {"base", "bpf/contract.h"},
    "control": {"base"},
    "dataplane": {"base", "model", "bpf"},
    "health": {"base", "model"},
    "sync": {"base", "model"},
    "node": {"base", "model", "dataplane", "health", "sync", "control"},
    # The command makes key files, and sees nothing else of replication.
    "cli": {"base", "control", "sync/cluster_key.h"},
    # The companion reads a file of its own kind by the same means, and shares with dataplane/ what
    # knows libbpf and nothing of the engine.
    "backend": {"base", "model/config.h", "model/config_reader.h", "model/config_reference.h",
                "model/config_schema.h", "model/config_text.h", "model/config_tree.h",
                "model/man_text.h", "dataplane/bpffs.h", "dataplane/interface.h",
                "dataplane/libbpf_log.h"},
    "bench": {"base", "model", "dataplane", "health", "sync", "bpf", "tests"},
    "scripts": set(),  # a plug-in of clang-tidy
    # Tests of the layers see what they test; tests/unit/<folder> is held to <folder>'s own rule.
    "tests/support": {"base", "model", "dataplane", "bpf", "tests"},
    "tests/bpf": {"base", "model", "dataplane", "bpf", "bench", "tests"},
    "tests/sim": {"base", "model", "sync", "tests"},
    "tests/fuzz": {"base", "model", "dataplane", "control", "bpf", "health", "sync", "tests"},
}

# Headers that are of another library than their folder's.
LIBRARY_OF = {f"dataplane/{name}.h": "bascule_libbpf"
              for name in ("bpffs", "interface", "libbpf_log")}
LIBRARY_OF["sync/cluster_key.h"] = "bascule_cluster_key"

# External headers that belong to some folders only: (pattern, folders or files, what it is).
# Tests may use what they need to look at their subject from outside.
RESERVED = [
    (r"(bpf/(bpf|libbpf)\.h|.*\.skel\.h)$", {"dataplane", "backend", "bench", "tests"},
     "libbpf belongs to dataplane/ and backend/"),
    (r"bpf/bpf_[a-z_]+\.h$", {"bpf", "backend/bpf", "bench/*.bpf.c", "tests/bpf"},
     "helpers of programs in the kernel belong to bpf/"),
    (r"toml\+\+/", {"model/config_toml.cpp"}, "toml++ is used by model/config_toml.cpp alone"),
    (r"netlink/", {"node", "tests"}, "libnl belongs to node/"),
    (r"CLI/", {"cli", "node", "backend", "bench", "base/command_line.h"},
     "CLI11 belongs to programs"),
    (r"nlohmann/", {"cli", "node", "backend", "tests", "bench"}, "JSON is made where it is shown"),
    (r"systemd/", {"node", "backend"}, "libsystemd belongs to daemons"),
    (r"prometheus/", {"node/metric_text.h", "node/metric_text.cpp"},
     "prometheus-cpp is used by node/metric_text alone"),
    (r"gtest/|gmock/", {"tests"}, "GoogleTest belongs to tests/"),
    (r"boost/", {"control", "health", "sync", "node", "cli", "backend", "bench", "tests"},
     "base, model and dataplane are without Boost and Asio"),
    (r"spdlog/", {"base", "control", "dataplane", "health", "sync", "node", "backend", "tests"},
     "model/ and the command do not log"),
]

# What model/ must not have at all: it is pure.
PURE = {"model"}
IMPURE_HEADERS = [
    (r"base/log\.h$", "a logger"),
    (r"(fstream|filesystem|thread|mutex|atomic|future|condition_variable)$", "disk or threads"),
    (r"(unistd|fcntl|poll|time|ctime)(\.h)?$", "the operating system"),
    (r"(sys|net|netinet|arpa)/", "the operating system"),
]
IMPURE_CODE = [
    (r"\b(system|steady|high_resolution)_clock\b", "reads a clock; time arrives as an argument"),
    (r"\b(clock_gettime|gettimeofday|getrandom)\s*\(", "asks the operating system"),
    (r"\bstd::(time|rand|getenv)\s*\(", "asks the operating system"),
]

# External link targets that belong to some folders' targets only.
RESERVED_LINKS = [
    (r"PkgConfig::LIBBPF|bascule_(bpf|clock)$", {"dataplane", "bench", "tests"},
     "libbpf belongs to dataplane/"),
    (r"PkgConfig::TOMLPLUSPLUS", {"model"}, "toml++ belongs to model/"),
    (r"PkgConfig::LIBNL", {"node", "tests"}, "libnl belongs to node/"),
    (r"PkgConfig::LIBSYSTEMD", {"node", "backend"}, "libsystemd belongs to daemons"),
    (r"Boost::", {"control", "health", "sync", "node", "cli", "backend", "tests"},
     "base, model and dataplane are without Boost and Asio"),
]

# Where else than at the root some folders' targets look for headers.
INCLUDE_ROOTS = {"tests": ("tests", "tests/bpf"), "bench": ("tests/bpf",)}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
GENERATED = re.compile(r"(\.pb\.h|\.skel\.h)$")
SOURCES = (".h", ".cpp", ".c")


def folder_of(path):
    """The layer a file belongs to: its first folder; under tests/ the first two."""
    parts = path.parts
    if len(parts) < 2:
        return None
    if parts[0] == "tests" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0]


def rule_for(path):
    """What the file may see, or None where nothing is said about its folder."""
    if path.parts[:2] == ("tests", "unit") and len(path.parts) > 3:
        tested = path.parts[2]
        return MAY_SEE[tested] | {tested, "tests"} if tested in MAY_SEE else None
    return MAY_SEE.get(folder_of(path))


def allowed_in(path, places):
    for place in places:
        if "*" in place:
            if path.match(place):
                return True
        elif path == Path(place) or Path(place) in path.parents:
            return True
    return False


def source_files(root):
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if relative.parts[0] in ("build", ".git") or not path.is_file():
            continue
        if path.suffix in SOURCES:
            yield relative


def lines_of(path):
    """Numbered lines without comments and without what stands in string literals."""
    text = path.read_text(encoding="utf-8")

    def blank(match):
        found = match.group(0)
        if found.startswith('"') or found.startswith("'"):
            return found  # kept: a quoted include is one too
        return re.sub(r"[^\n]", " ", found)

    text = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*.*?\*/', blank, text,
                  flags=re.S)
    return list(enumerate(text.split("\n"), 1))


class Checker:
    def __init__(self, root):
        self.root = root
        self.violations = []
        self.folders = {p.name for p in root.iterdir() if p.is_dir()} if root.is_dir() else set()

    def complain(self, path, line, text):
        self.violations.append(f"{path}:{line}: {text}")

    def run(self):
        for path in source_files(self.root):
            self.check_source(path)
        LinkGraph(self).check()
        return self.violations

    # ---- includes ----

    def check_source(self, path):
        may_see = rule_for(path)
        if may_see is None:
            self.complain(path, 1, f"nothing is said about the folder '{folder_of(path) or '.'}': "
                                   "add it to MAY_SEE in scripts/check-layering.py")
            return
        for number, line in lines_of(self.root / path):
            include = INCLUDE.match(line)
            if include:
                self.check_include(path, number, include.group(1) == '"', include.group(2), may_see)
            elif folder_of(path) in PURE:
                self.check_pure_code(path, number, line)

    def check_include(self, path, number, quoted, header, may_see):
        own = folder_of(path)
        for pattern, places, what in RESERVED:
            if re.match(pattern, header) and not allowed_in(path, places):
                self.complain(path, number, f'includes "{header}": {what}')
                return
        if own in PURE:
            for pattern, what in IMPURE_HEADERS:
                if re.match(pattern, header):
                    self.complain(path, number, f'includes "{header}": {own}/ is pure and knows '
                                                f"not {what}")
                    return
        target = self.resolve(path, header, quoted)
        if target is None:
            if quoted and not GENERATED.search(header):
                self.complain(path, number, f'includes "{header}", which is nowhere in the tree; '
                                            "headers of the project are named from its root")
            return
        seen = folder_of(target)
        if seen == own or seen in may_see or target.as_posix() in may_see:
            return
        if target.parts[0] in may_see:  # "tests"
            return
        allowed = ", ".join(sorted(may_see)) or "nothing"
        self.complain(path, number, f'includes "{header}": {own} may see {allowed} and itself')

    def resolve(self, path, header, quoted):
        """The included file of the project, or None for a foreign one."""
        candidates = [Path(header)]
        if quoted:
            candidates.insert(0, path.parent / header)
            candidates += [Path(root, header) for root in INCLUDE_ROOTS.get(path.parts[0], ())]
        elif Path(header).parts[0] == "bpf":
            candidates = []  # <bpf/…> is libbpf's
        for candidate in candidates:
            if (self.root / candidate).is_file() or \
                    (self.root / candidate.with_name(candidate.name + ".in")).is_file():
                return candidate
        if GENERATED.search(header) and len(Path(header).parts) > 1 and \
                Path(header).parts[0] in MAY_SEE:
            return Path(header)  # control/control.pb.h
        return None

    def check_pure_code(self, path, number, line):
        code = re.sub(r'"(?:\\.|[^"\\])*"', '""', line)
        for pattern, what in IMPURE_CODE:
            if re.search(pattern, code):
                self.complain(path, number, f"{what} ({line.strip()})")


class LinkGraph:
    """What each CMake target links, from the calls in the tree's CMakeLists.txt files."""

    CALL = re.compile(r"\b(bascule_library|bascule_program|unit_tests|target_link_libraries|"
                      r"add_library|add_executable)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
    WORDS = {"PUBLIC", "PRIVATE", "INTERFACE", "LINKS", "PRIVATE_LINKS"}

    def __init__(self, checker):
        self.checker = checker
        self.root = checker.root
        self.links = {}  # target -> {linked: (path, line)}
        self.home = {}  # target -> folder

    def check(self):
        for path in sorted(self.root.rglob("CMakeLists.txt")):
            relative = path.relative_to(self.root)
            if relative.parts[0] != "build" and len(relative.parts) > 1:
                self.read(relative)
        for target, linked in sorted(self.links.items()):
            for other, (path, line) in linked.items():
                self.check_link(target, other, path, line)
        self.check_includes_are_linked()

    def read(self, path):
        text = re.sub(r"#[^\n]*", lambda m: " " * len(m.group(0)),
                      (self.root / path).read_text(encoding="utf-8"))
        for call in self.CALL.finditer(text):
            words = [(w.group(0), text.count("\n", 0, call.start(2) + w.start()) + 1)
                     for w in re.finditer(r"[^\s]+", call.group(2))]
            if not words or "${" in words[0][0]:
                continue  # a function's own definition
            self.add(path, call.group(1), words)

    def add(self, path, function, words):
        target = words[0][0]
        folder = folder_of(path)
        if function == "unit_tests":
            folder, target = f"tests/unit/{target}", f"unit_{target}"
        self.home.setdefault(target, folder)
        linked = self.links.setdefault(target, {})
        collecting = function == "target_link_libraries"
        for word, line in words[1:]:
            if word in self.WORDS:
                collecting = True
            elif re.fullmatch(r"[A-Z_]+", word):
                collecting = False  # SOURCES and the like
            elif collecting:
                linked.setdefault(word, (path, line))

    def check_link(self, target, other, path, line):
        home = Path(self.home[target]) / "CMakeLists.txt"
        for pattern, places, what in RESERVED_LINKS:
            if re.match(pattern, other):
                if not allowed_in(home, places):
                    self.checker.complain(path, line, f"{target} links {other}: {what}")
                return
        # The headers that it is linked for: its folder's, or those of a part of that folder.
        parts = {header for header, library in LIBRARY_OF.items() if library == other}
        folder = Path(min(parts)).parts[0] if parts else other.removeprefix("bascule_")
        if folder == other or folder not in MAY_SEE:
            return
        may_see = rule_for(home.parent / "x" / "x") if home.parts[0] == "tests" else \
            MAY_SEE.get(self.home[target])
        if may_see is None or folder == self.home[target] or folder in may_see:
            return
        if parts & may_see or not parts and any(seen.startswith(folder + "/") and
                                                seen not in LIBRARY_OF for seen in may_see):
            return
        self.checker.complain(path, line, f"{target} links {other}, but {self.home[target]} may "
                                          f"see {', '.join(sorted(may_see)) or 'nothing'}")

    def reach(self, target):
        seen, todo = set(), [target]
        while todo:
            for other in self.links.get(todo.pop(), {}):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    def check_includes_are_linked(self):
        """A folder whose headers are included is also linked: a missing arrow would hide."""
        for path in source_files(self.root):
            target = f"bascule_{path.parts[0]}"
            if target not in self.links:
                continue
            reached = self.reach(target)
            for number, line in lines_of(self.root / path):
                include = INCLUDE.match(line)
                seen = include and self.checker.resolve(path, include.group(2),
                                                        include.group(1) == '"')
                if not seen or seen.parts[0] in (path.parts[0], "bpf"):
                    continue
                other = LIBRARY_OF.get(seen.as_posix(), f"bascule_{seen.parts[0]}")
                if other in self.links and other not in reached:
                    self.checker.complain(path, number, f'includes "{include.group(2)}", but '
                                                        f"{target} does not link {other}")


# ---- the self-test -------------------------------------------------------------------------------

CLEAN = {
    "base/result.h": "#pragma once\n#include <string>\n",
    "base/log.h": "#pragma once\n#include <spdlog/common.h>\n",
    "bpf/contract.h": "#include <linux/types.h>\n",
    "bpf/maps.h": '#include <bpf/bpf_helpers.h>\n#include "contract.h"\n',
    "model/plan.cpp": '#include "bpf/contract.h"\n#include "base/result.h"\n'
                      "// steady_clock::now() in a comment is nothing\n",
    "model/config_toml.cpp": "#include <toml++/toml.h>\n",
    "model/plan.h": "#pragma once\n",
    "dataplane/dataplane.h": '#pragma once\n#include "model/plan.h"\n',
    "dataplane/loader.cpp": "#include <bpf/libbpf.h>\n#include \"director.skel.h\"\n",
    "health/checker.h": "#pragma once\n#include <boost/asio.hpp>\n",
    "control/server.h": "#pragma once\n#include <boost/asio.hpp>\n#include \"base/result.h\"\n",
    "node/main.cpp": '#include "control/control.pb.h"\n#include "dataplane/dataplane.h"\n',
    "cli/main.cpp": '#include "control/control.pb.h"\n#include "control/server.h"\n',
    "sync/cluster_key.h": '#pragma once\n#include "base/result.h"\n',
    "sync/seal.h": '#pragma once\n#include "sync/cluster_key.h"\n',
    "cli/keygen.cpp": '#include "sync/cluster_key.h"\n',
    "tests/unit/model/plan_test.cpp": '#include <gtest/gtest.h>\n#include "model/plan.h"\n',
    "base/CMakeLists.txt": "bascule_library(bascule_base SOURCES x.cpp LINKS spdlog::spdlog)\n",
    "model/CMakeLists.txt": "bascule_library(bascule_model SOURCES plan.cpp\n"
                            "  LINKS bascule_base PRIVATE_LINKS PkgConfig::TOMLPLUSPLUS)\n",
    "dataplane/CMakeLists.txt": "bascule_library(bascule_dataplane SOURCES loader.cpp\n"
                                "  LINKS bascule_model PRIVATE_LINKS bascule_bpf)\n",
    "control/CMakeLists.txt": "bascule_library(bascule_control\n"
                              "  LINKS bascule_base Boost::headers)\n",
    "node/CMakeLists.txt": "bascule_library(bascule_node\n"
                           "  LINKS bascule_dataplane bascule_control)\n",
    "sync/CMakeLists.txt": "bascule_library(bascule_cluster_key LINKS bascule_base)\n"
                           "bascule_library(bascule_sync LINKS bascule_model "
                           "bascule_cluster_key)\n",
    "cli/CMakeLists.txt": "bascule_library(bascule_cli\n"
                          "  LINKS bascule_control bascule_cluster_key)\n",
    "tests/unit/CMakeLists.txt": "unit_tests(model LINKS bascule_model)\n",
}

# (file, text that is added at its end, what must be reported; its line is that of the addition)
WRONG = [
    ("base/result.h", '#include "model/plan.h"', "base may see nothing"),
    ("model/plan.h", '#include "dataplane/dataplane.h"', "model may see base"),
    ("model/plan.cpp", '#include "bpf/maps.h"', "model may see base"),
    ("model/plan.cpp", '#include "base/log.h"', "knows not a logger"),
    ("model/plan.cpp", "#include <spdlog/spdlog.h>", "do not log"),
    ("model/plan.cpp", "#include <boost/asio.hpp>", "without Boost and Asio"),
    ("model/plan.cpp", "#include <bpf/bpf.h>", "libbpf belongs to dataplane/"),
    ("model/plan.cpp", "#include <toml++/toml.h>", "config_toml.cpp alone"),
    ("model/plan.cpp", "#include <fstream>", "disk or threads"),
    ("model/plan.cpp", "auto t = std::chrono::steady_clock::now();", "reads a clock"),
    ("dataplane/loader.cpp", '#include "health/checker.h"', "dataplane may see"),
    ("health/checker.h", '#include "dataplane/dataplane.h"', "health may see"),
    ("dataplane/loader.cpp", "#include <boost/asio.hpp>", "without Boost and Asio"),
    ("node/main.cpp", "#include <bpf/libbpf.h>", "libbpf belongs to dataplane/"),
    ("node/main.cpp", '#include "bpf/contract.h"', "node may see"),
    ("cli/main.cpp", '#include "model/plan.h"', "cli may see"),
    ("control/server.h", '#include "model/plan.h"', "control may see"),
    ("bpf/maps.h", '#include "base/result.h"', "bpf may see nothing"),
    ("node/main.cpp", '#include "dataplane/gone.h"', "nowhere in the tree"),
    ("tests/unit/model/plan_test.cpp", '#include "node/main.h"', "nowhere in the tree"),
    ("tests/unit/model/plan_test.cpp", '#include "dataplane/dataplane.h"', "may see"),
    ("backend/service.cpp", '#include "dataplane/dataplane.h"', "backend may see"),
    ("backend/service.cpp", '#include "model/plan.h"', "backend may see"),
    ("dataplane/loader.cpp", "#include <gtest/gtest.h>", "belongs to tests/"),
    ("strange/new.cpp", "int x;", "nothing is said about the folder 'strange'"),
    ("model/CMakeLists.txt", "target_link_libraries(bascule_model PRIVATE bascule_dataplane)",
     "bascule_model links bascule_dataplane"),
    ("model/CMakeLists.txt", "target_link_libraries(bascule_model PUBLIC Boost::headers)",
     "without Boost and Asio"),
    ("node/CMakeLists.txt", "target_link_libraries(bascule_node PRIVATE PkgConfig::LIBBPF)",
     "libbpf belongs to dataplane/"),
    ("cli/CMakeLists.txt", "bascule_program(bascule SOURCES main.cpp LINKS bascule_model)",
     "bascule links bascule_model"),
    ("cli/main.cpp", '#include "sync/seal.h"', "cli may see"),
    ("cli/CMakeLists.txt", "target_link_libraries(bascule_cli PRIVATE bascule_sync)",
     "bascule_cli links bascule_sync"),
    ("model/CMakeLists.txt", "target_link_libraries(bascule_model PRIVATE bascule_cluster_key)",
     "bascule_model links bascule_cluster_key"),
    ("tests/unit/CMakeLists.txt", "unit_tests(base LINKS bascule_model)",
     "unit_base links bascule_model"),
    ("sync/CMakeLists.txt", "bascule_library(bascule_sync LINKS bascule_health)",
     "bascule_sync links bascule_health"),
]


def write_tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def self_test():
    failed = []
    with tempfile.TemporaryDirectory(prefix="bascule-layering.") as directory:
        root = Path(directory, "clean")
        write_tree(root, CLEAN)
        violations = Checker(root).run()
        if violations:
            failed.append("the clean tree has: " + "; ".join(violations))
        for index, (name, addition, expected) in enumerate(WRONG):
            root = Path(directory, str(index))
            files = dict(CLEAN)
            before = files.get(name, "")
            files[name] = before + addition + "\n"
            write_tree(root, files)
            place = f"{name}:{before.count(chr(10)) + 1}: "
            violations = Checker(root).run()
            if not any(v.startswith(place) and expected in v for v in violations):
                failed.append(f"'{addition}' in {name} gave {violations}, not {place}…{expected}")
        # An include without its link.
        root = Path(directory, "unlinked")
        write_tree(root, {**CLEAN, "node/CMakeLists.txt":
                          "bascule_library(bascule_node LINKS bascule_control)\n"})
        if not any("bascule_node does not link bascule_dataplane" in v
                   for v in Checker(root).run()):
            failed.append("an include without its link was not noticed")
        root = Path(directory, "unlinked-part")
        write_tree(root, {**CLEAN, "cli/CMakeLists.txt":
                          "bascule_library(bascule_cli LINKS bascule_control)\n"})
        if not any("bascule_cli does not link bascule_cluster_key" in v
                   for v in Checker(root).run()):
            failed.append("an include without the link of its part was not noticed")
    for text in failed:
        print(f"self-test: {text}", file=sys.stderr)
    return not failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--self-test", action="store_true", help="show that each rule can fail")
    parser.add_argument("root", nargs="?", default=Path(__file__).resolve().parents[1], type=Path)
    arguments = parser.parse_args()
    if arguments.self_test:
        if not self_test():
            return 1
        print(f"layering: the self-test found each of {len(WRONG) + 2} made violations")
        return 0
    root = arguments.root.resolve()
    if not (root / "base").is_dir():
        print(f"check-layering: {root} is not the project's root", file=sys.stderr)
        return 2
    violations = Checker(root).run()
    for text in violations:
        print(text)
    count = sum(1 for _ in source_files(root))
    print(f"layering: {count} files, {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
