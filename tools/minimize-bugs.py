#!/usr/bin/env python3
"""Minimises one failing run of every seeded bug and prints what is left: operations, planned faults, events, before and after.

usage: tools/minimize-bugs.py [SEED] [BUG...]

SEED is the first of forty seeds among which a failing one is sought (7000). Exit status: 0, or 1 if a bug did not fail or
could not be minimised. The work is vopr's; each bug gets a minute."""

import json
import pathlib
import subprocess
import sys
import tempfile

from programs import program

OPERATIONS_GOAL, FAULTS_GOAL = 30, 5

# Seeds that are tried at most, and how many at a time until one fails.
SEEDS, STEP = 40, 4


def objects(*words: str) -> list[dict]:
    """What a command says as JSON, whatever its exit status."""
    lines = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False).stdout.splitlines()
    return [json.loads(line) for line in lines]


def minimised(vopr: str, bug: dict, seed: str) -> dict | None:
    """Sizes before and after, or nothing if no run failed."""
    with tempfile.TemporaryDirectory() as folder:
        scenario, invariants = bug["scenarios"][0], ",".join(bug["invariants"])
        bundles: list[pathlib.Path] = []
        for first in range(int(seed), int(seed) + SEEDS, STEP):
            where = ["--scenario", scenario, "--bug", bug["name"], "--invariant", invariants, "--seed", str(first), "-n", str(STEP)]
            objects(vopr, "run", *where, "--save-failures", folder, "--json")
            bundles = sorted(pathlib.Path(folder).glob("*.kmb"))
            if bundles:
                break
        else:
            return None
        made = objects(vopr, "minimize", str(bundles[0]), "-o", f"{folder}/small.kmb", "--for", "60s", "--json")
        return next((found for found in made if found["type"] == "minimize"), None)


def main() -> int:
    """One row for each bug, and how many are within the goal."""
    words = sys.argv[1:]
    if words[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    seed = words.pop(0) if words and words[0].isdigit() else "7000"
    vopr = program("vopr", "VOPR")
    bugs = [bug for bug in objects(vopr, "bugs", "--json") if bug["type"] == "bug"]
    unknown = set(words) - {bug["name"] for bug in bugs}
    if unknown:
        sys.exit(f"minimize-bugs: no bug is called {', '.join(sorted(unknown))}: vopr bugs lists them")
    bugs = [bug for bug in bugs if not words or bug["name"] in words]
    print(f"{'bug':36}{'operations':>20}{'planned faults':>18}{'events':>18}{'tried':>8}")
    small = failed = 0
    for bug in bugs:
        result = minimised(vopr, bug, seed)
        if result is None:
            print(f"{bug['name']:36} no run failed, or none could be minimised", flush=True)
            failed += 1
            continue
        before, after = result["before"], result["after"]
        cells = [f"{before[name]} -> {after[name]}" for name in ("operations", "faults", "events")]
        print(f"{bug['name']:36}{cells[0]:>20}{cells[1]:>18}{cells[2]:>18}{result['tried']:>8}", flush=True)
        small += after["operations"] <= OPERATIONS_GOAL and after["faults"] <= FAULTS_GOAL
    print(f"{small} of {len(bugs)} within {OPERATIONS_GOAL} operations and {FAULTS_GOAL} planned faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
