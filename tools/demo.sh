#!/bin/sh
# Builds both programs, simulates a cluster under every family of faults, records it, and has the separate checker judge the files.
# usage: tools/demo.sh [SEEDS] [FIRST_SEED]
set -eu
cd "$(dirname "$0")/.."
seeds=${1:-300}
first=${2:-1}
out="runs/combined-$first-$seeds"

cargo build --release --bin vopr --bin vopr-check
rm -rf "$out"
target/release/vopr run --scenario combined --seed "$first" --iterations "$seeds" --no-check --out "$out"
target/release/vopr-check "$out"/*.parquet
echo "histories: $out/*.parquet   (query them: tools/duckdb/README.md)"
