#!/bin/sh
# Finds a failing seed of an attack with its guard off, keeps it, repeats it and makes it smaller.
# usage: tools/reproduce-bug.sh ATTACK [SEED] [SEEDS] [DIR]
set -eu
tools=$(dirname "$0")
# shellcheck source=tools/programs.sh
. "$tools/programs.sh"
[ $# -ge 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; attacks | sed 's/^/  /' >&2; exit 2; }
scenario=$(scenario_of "$1") || exit 2
bug=$(bug_of "$scenario")
[ -n "$bug" ] || { echo "$0: no guard stands against $1 alone" >&2; exit 2; }
seed=${2:-1}
seeds=${3:-50}
out=${4:-runs/$scenario}
unset VOPR_OUTPUT_DIR VOPR_ITERATIONS

"$vopr" run --scenario "$scenario" --bug "$bug" --seed "$seed" --iterations "$seeds" --save-failures "$out" --output compact || true
bundle=$(find "$out" -name "$scenario-$bug-*.kmb" ! -name '*-min.kmb' | sort -V | head -n 1)
[ -n "$bundle" ] || { echo "$0: none of the seeds $seed..$((seed + seeds - 1)) fails" >&2; exit 5; }
"$vopr" repro "$bundle" || true
"$vopr" minimize "$bundle" -o "${bundle%.kmb}-min.kmb"
