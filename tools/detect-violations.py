#!/usr/bin/env python3
"""Lists the violations in recorded histories, one line each: invariant, scenario, seed, file, what is wrong.

usage: tools/detect-violations.py FILE_OR_DIRECTORY...

The work is vopr-check's; its exit status is passed on (0: everything held, 1: a violation)."""

import json
import subprocess
import sys

from programs import program


def main() -> int:
    """Checks the files and prints a line for each violation."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    checker = subprocess.Popen([program("vopr-check", "VOPR_CHECK"), "--format", "json", *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
    for line in checker.stdout:
        run = json.loads(line)
        if run.get("type") != "run":
            continue
        for verdict in run["verdicts"]:
            if verdict["verdict"] == "violation":
                place = f"{run['scenario']} seed {run['seed']} ({run['file']})"
                print(f"{verdict['invariant']}: {place}: {verdict['witness']['summary']}")
    return checker.wait()


if __name__ == "__main__":
    sys.exit(main())
