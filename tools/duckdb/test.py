"""Runs every query of this folder with the real engine and fails when one does not answer.

usage: python test.py [PATTERN]        (needs the duckdb wheel; the pattern defaults to histories/*.parquet)
"""

import pathlib
import sys
import time

import duckdb

FOLDER = pathlib.Path(__file__).resolve().parent
TABLES = {
    "operation": "operations",
    "message": "messages",
    "transition": "transitions",
    "storage": "storage",
    "fault": "faults",
}


def check_counts(connection):
    """The views hold as many rows as the rows of kind run say: nothing is lost between writer and engine."""
    for kind, view in TABLES.items():
        expected = connection.execute(f"select coalesce(sum(rows_{kind}), 0) from runs").fetchone()[0]
        found = connection.execute(f"select count(*) from {view}").fetchone()[0]
        if expected != found:
            raise AssertionError(f"{view}: {found} rows, but the runs have {expected}")
    strangers = connection.execute("select count(*) from messages anti join runs using (file, scenario, seed)").fetchone()[0]
    if strangers:
        raise AssertionError(f"{strangers} messages belong to no run")


def main():
    pattern = sys.argv[1] if len(sys.argv) > 1 else str(FOLDER.parent.parent / "histories" / "*.parquet")
    connection = duckdb.connect()
    connection.execute("set variable histories = $1", [pattern])
    connection.execute((FOLDER / "views.sql").read_text())
    runs = connection.execute("select count(*) from runs").fetchone()[0]
    if runs == 0:
        print(f"{pattern}: no runs", file=sys.stderr)
        return 1
    failed = []
    try:
        check_counts(connection)
    except (AssertionError, duckdb.Error) as error:
        print(f"counts: {error}", file=sys.stderr)
        failed.append("counts")
    queries = sorted(path for path in FOLDER.glob("*.sql") if path.name != "views.sql")
    for path in queries:
        started = time.perf_counter()
        try:
            rows = connection.execute(path.read_text()).fetchall()
        except duckdb.Error as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            failed.append(path.name)
            continue
        print(f"{path.name:28} {len(rows):8} rows {1000 * (time.perf_counter() - started):9.1f} ms")
    print(f"{len(queries)} queries over {runs} runs: {'FAILED ' + ', '.join(failed) if failed else 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
