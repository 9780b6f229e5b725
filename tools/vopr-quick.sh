#!/bin/sh
# A short look at everything: a few seeds of every scenario, checked.
# usage: tools/vopr-quick.sh [SEEDS_PER_SCENARIO]
set -eu
tools=$(dirname "$0")
# shellcheck source=tools/programs.sh
. "$tools/programs.sh"
seeds=${1:-20}
unset VOPR_OUTPUT_DIR VOPR_ITERATIONS
exec "$vopr" run --scenario "${VOPR_SCENARIO:-all}" --iterations "$seeds"
