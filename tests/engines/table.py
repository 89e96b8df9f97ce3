#!/usr/bin/env python3
"""Results of several machines, side by side: a Markdown table a suite, a line a test, a column a runtime.

usage: table.py FOLDER…    folders that boot.sh filled
"""

import collections
import pathlib
import sys

WORDS = {"ok": "passes", "not-ok": "**fails**", "skip": "skipped"}
COLUMNS = {"crun": "crun", "runc": "runc", "orlop": "Orlop"}


def read(folders):
    """suite → test → runtime → word, in the order of the files."""
    suites = collections.defaultdict(lambda: collections.defaultdict(dict))
    for folder in folders:
        for line in (pathlib.Path(folder) / "results").read_text().splitlines():
            parts = line.split(" ", 3)
            if len(parts) == 4 and parts[2] in WORDS:
                suite, runtime, word, test = parts
                suites[suite][test.split(" (")[0]][runtime] = WORDS[word]
    return suites


def main():
    for suite, tests in read(sys.argv[1:]).items():
        runtimes = [name for name in COLUMNS if any(name in found for found in tests.values())]
        counts = [sum(found.get(name) == "passes" for found in tests.values()) for name in runtimes]
        print(f"\n### {suite}\n")
        print("| test | " + " | ".join(COLUMNS[name] for name in runtimes) + " |")
        print("|---|" + "---|" * len(runtimes))
        for test, found in tests.items():
            print(f"| {test} | " + " | ".join(found.get(name, "not run") for name in runtimes) + " |")
        print(f"| **passed, of {len(tests)}** | " + " | ".join(str(count) for count in counts) + " |")


main()
