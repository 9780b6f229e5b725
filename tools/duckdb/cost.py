"""What checking a history file costs, against one scan of all its columns by DuckDB.

Both are measured in this one run, as CPU time on one thread, the least of three rounds. The checker judges every invariant and starts as a
process of its own; DuckDB is loaded already, so the comparison favours DuckDB.

    .venv/bin/python tools/duckdb/cost.py target/release/vopr-check FILE...

Exits with 1 if some ratio exceeds the limit of three.
"""

import resource
import subprocess
import sys

import duckdb

ROUNDS = 3
LIMIT = 3.0


def cpu(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def spent(who, work):
    best = float("inf")
    for _ in range(ROUNDS):
        before = cpu(who)
        work()
        best = min(best, cpu(who) - before)
    return best


def scan(connection, path):
    """The hash of every value of every column: no column can be skipped, and `max` would cost three times as much."""
    connection.execute("SELECT bit_xor(hash(COLUMNS(*))) FROM read_parquet(?)", [path]).fetchall()


def check(program, path):
    done = subprocess.run([program, "--jobs", "1", path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{program} {path}: exit code {done.returncode}: {done.stderr}")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    program, paths = sys.argv[1], sys.argv[2:]
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    worst = 0.0
    print(f"{'file':<40} {'rows':>9} {'check':>9} {'scan':>9} ratio")
    for path in paths:
        rows = connection.execute("SELECT count(*) FROM read_parquet(?)", [path]).fetchone()[0]
        scanned = spent(resource.RUSAGE_SELF, lambda: scan(connection, path))
        checked = spent(resource.RUSAGE_CHILDREN, lambda: check(program, path))
        ratio = checked / scanned
        worst = max(worst, ratio)
        print(f"{path.rsplit('/', 1)[-1]:<40} {rows:>9} {checked * 1e3:>6.0f} ms {scanned * 1e3:>6.0f} ms {ratio:>5.2f}")
    print(f"worst ratio {worst:.2f}, limit {LIMIT:.0f}")
    sys.exit(0 if worst <= LIMIT else 1)


if __name__ == "__main__":
    main()
