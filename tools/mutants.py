#!/usr/bin/env python3
"""Draws a random sample of the checker's mutants by its seed, tries each against the tests, and prints what became of them.

usage: tools/mutants.py [--seed N] [--sample N] [--elsewhere TESTS]

cargo-mutants lists the mutants. All that were drawn are built at once, into a copy of the tree below target/: each changed function
holds its bodies side by side and the variable MUTANT says which one runs. What does not build that way is built by itself. A mutant
meets the tests of its own module, then all of the crate's, up to the first that fails; if none does, those of the package e2e.
"""

import argparse
import collections
import functools
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "target/mutants"
PACKAGE = "vopr-checker"
SOURCES = "checker/core/src/"
MEMORY = 8 << 30  # bytes; a mutant may well ask for all there is
SELECTOR = """
/// The mutant that runs.
#[must_use]
pub fn mutant() -> u32 {
    static NUMBER: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| std::env::var("MUTANT").map_or(0, |text| text.parse().unwrap()));
    *NUMBER
}
"""
OUTCOMES = ("caught", "caught elsewhere", "survived", "does not build", "timeout")


def offset(text: str, place: dict) -> int:
    """The index of a line and column, both counted from one."""
    start = 0
    for _ in range(place["line"] - 1):
        start = text.index("\n", start) + 1
    return start + place["column"] - 1


def extent(text: str, span: dict) -> tuple[int, int]:
    """The indices of a span's beginning and end."""
    return offset(text, span["start"]), offset(text, span["end"])


def mutated(text: str, mutant: dict, outer: tuple[int, int]) -> str:
    """A part of the text with the mutant's change."""
    start, end = extent(text, mutant["span"])
    return text[outer[0] : start] + mutant["replacement"] + text[end : outer[1]]


def body(text: str, function: dict) -> tuple[int, int]:
    """What stands between the braces of a function: the first pair outside of parentheses, after comments and attributes."""
    at, end = extent(text, function["span"])
    depth = 0
    while text[at] != "{" or depth:
        depth += (text[at] in "([") - (text[at] in ")]")
        at = text.index("\n", at) if text.startswith("//", at) else at + 1
    return at + 1, end - 1


def together(text: str, mutants: dict[int, dict]) -> tuple[str, list[tuple[int, int, int]]]:
    """A file with all its mutants side by side, and the lines of each (first, last, number)."""
    functions = collections.defaultdict(list)
    for number, mutant in mutants.items():
        functions[body(text, mutant["function"])].append(number)
    made, lines, done = "", [], 0
    for inner, numbers in sorted(functions.items()):
        made += text[done : inner[0]] + "match crate::mutant() {\n"
        lines.extend((made.count("\n"), made.count("\n"), number) for number in numbers)
        for number in numbers:
            first = made.count("\n") + 1
            made += f"{number} => {{\n{mutated(text, mutants[number], inner)}\n}}\n"
            lines.append((first, made.count("\n"), number))
        first = made.count("\n") + 1
        made += f"_ => {{\n{text[inner[0] : inner[1]]}\n}}\n}}"
        lines.extend((first, made.count("\n") + 1, number) for number in numbers)
        done = inner[1]
    return made + text[done:], lines


def build(command: list[str]) -> tuple[list[str], list[tuple[str, int]]]:
    """Runs cargo in the copy: the test programs that it made, and the places (file, line) of what the compiler refused."""
    line = ["cargo", *command, "--message-format", "json"]
    environment = os.environ | {"CARGO_TARGET_DIR": str(TREE / "target")}
    built = subprocess.run(line, cwd=TREE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    messages = [json.loads(each) for each in built.stdout.splitlines() if each.startswith("{")]
    errors = [each["message"] for each in messages if each["reason"] == "compiler-message" and each["message"]["level"] == "error"]
    places = [(span["file_name"], span["line_start"]) for error in errors for span in error["spans"]]
    if built.returncode and not places:
        sys.exit(f"mutants: {' '.join(line)} fails: run it in {TREE}")
    return [each["executable"] for each in messages if each.get("executable") and each["profile"]["test"]], places


def prepare(texts: dict[str, str], mutants: dict[int, dict]) -> list[int]:
    """Writes all mutants into the copy; returns those that had to stay out because the compiler refuses."""
    inside, out = dict(mutants), []
    while True:
        lines = {}
        for file, text in texts.items():
            here = {number: mutant for number, mutant in inside.items() if mutant["file"] == file}
            made, lines[file] = together(text, here)
            (TREE / file).write_text(made + (SELECTOR if file == SOURCES + "lib.rs" else ""))
        _, errors = build(["check", "-p", PACKAGE, "--lib"])
        if not errors:
            return out
        refused = {number for file, line in errors for first, last, number in lines.get(file, []) if first <= line <= last}
        if not refused:
            sys.exit(f"mutants: the compiler refuses what is no mutant: {errors}")
        out.extend(sorted(refused))
        for number in refused:
            del inside[number]


def run(program: str, filters: list[str], number: int, seconds: float) -> str:
    """Runs tests up to the first one that fails: its name, "" when all passed, "timeout", or "abort"."""
    place = {"cwd": TREE / ("tests" if "/vopr_checker-" not in program else "checker/core"), "env": os.environ | {"MUTANT": str(number)}}
    limits = {"start_new_session": True, "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))}
    child = subprocess.Popen([program, *filters], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **place, **limits)
    late = threading.Event()

    def stop() -> None:
        late.set()
        os.killpg(child.pid, signal.SIGKILL)

    clock = threading.Timer(seconds, stop)
    clock.start()
    try:
        for line in child.stdout:
            if line.startswith("test ") and line.endswith("FAILED\n"):
                os.killpg(child.pid, signal.SIGKILL)
                return line.split()[1]
        failed = child.wait() != 0
        return "timeout" if late.is_set() else "abort" if failed else ""
    finally:
        clock.cancel()
        child.wait()


def own_tests() -> list[str]:
    """The program of the crate's tests; none when the compiler refuses."""
    programs, errors = build(["test", "--no-run", "-p", PACKAGE, "--lib"])
    return [] if errors else programs


def judge(own: list[str], elsewhere: Callable[[], list[str]], mutant: dict, number: int, seconds: float) -> tuple[str, str]:
    """What became of a mutant that is in the copy, and the test that told; the end-to-end tests are only asked for if need be."""
    if not own:
        return "does not build", ""
    module = "::".join(mutant["file"].removeprefix(SOURCES).removesuffix(".rs").split("/")[:2])
    for filters in [module], []:
        if told := run(own[0], filters, number, seconds):
            return ("timeout" if told == "timeout" else "caught"), told
    for program in elsewhere():
        if told := run(program, [], number, seconds):
            return "caught elsewhere", told
    return "survived", ""


def sound(programs: list[str]) -> list[str]:
    """The same programs, if they pass while no mutant runs."""
    for program in programs:
        if failed := run(program, [], 0, 3600.0):
            sys.exit(f"mutants: {failed} fails as it is")
    return programs


def main() -> None:
    """Draws, builds, tries, counts."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=20261130)
    options.add_argument("--sample", type=int, default=120)
    options.add_argument("--elsewhere", default="golden", help="tests of the package e2e for those that survive, with commas; may be empty")
    given = options.parse_args()

    listing = ["cargo", "mutants", "--list", "--json", "-p", PACKAGE]
    population = json.loads(subprocess.run(listing, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    mutants = dict(enumerate(random.Random(given.seed).sample(population, given.sample), 1))
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for file in files:
        (TREE / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, TREE / file)
    texts = {file: (ROOT / file).read_text() for file in {SOURCES + "lib.rs"} | {mutant["file"] for mutant in mutants.values()}}

    alone = prepare(texts, mutants)
    own = own_tests()
    begun = time.monotonic()
    sound(own)
    seconds = 60.0 + 5.0 * (time.monotonic() - begun)

    def elsewhere() -> list[str]:
        tests = [part for name in given.elsewhere.split(",") if name for part in ("--test", name)]
        return build(["test", "--no-run", "-p", "e2e", *tests])[0] if tests else []

    counts = collections.Counter()

    def report(number: int, own: list[str], elsewhere: Callable[[], list[str]]) -> None:
        outcome, test = judge(own, elsewhere, mutants[number], number, seconds)
        counts[outcome] += 1
        print(f"{outcome}\t{mutants[number]['name']}\t{test}", flush=True)

    once = functools.cache(lambda: sound(elsewhere()))
    for number in mutants.keys() - set(alone):
        report(number, own, once)
    for file, text in texts.items():
        (TREE / file).write_text(text)
    for number in alone:
        file, text = TREE / mutants[number]["file"], texts[mutants[number]["file"]]
        file.write_text(mutated(text, mutants[number], (0, len(text))))
        report(number, own_tests(), elsewhere)
        file.write_text(text)
    print(f"population {len(population)}, sample {given.sample}: " + ", ".join(f"{counts[each]} {each}" for each in OUTCOMES))


if __name__ == "__main__":
    main()
