#!/bin/sh
# Runs every test: formatting, lints, all Rust tests, and the DuckDB queries with the real engine in a local virtual environment.
set -eu
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
cargo test --workspace
if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv
fi
.venv/bin/python -c 'import duckdb' 2>/dev/null || .venv/bin/pip install --quiet 'duckdb>=1.1'
.venv/bin/python tools/duckdb/test.py histories/*.parquet
echo "all tests passed"
