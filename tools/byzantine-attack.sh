#!/bin/sh
# Attacks on messages: with all guards on nothing may break and every attack must be seen; with the guard off that the attack is
# aimed at, a violation must be found.
# usage: tools/byzantine-attack.sh ATTACK|all [SEEDS]
set -eu
tools=$(dirname "$0")
# shellcheck source=tools/programs.sh
. "$tools/programs.sh"
[ $# -ge 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; attacks | sed 's/^/  /' >&2; exit 2; }
seeds=${2:-50}
unset VOPR_OUTPUT_DIR VOPR_ITERATIONS
if [ "$1" = all ]; then wanted=$(attacks); else wanted=$1; fi

worst=0
for attack in $wanted; do
    scenario=$(scenario_of "$attack") || exit 2
    if "$vopr" run --scenario "$scenario" --iterations "$seeds" --require-evidence --output compact; then
        echo "$attack: withstood with all guards on"
    else
        echo "$attack: NOT withstood, or not exercised, with all guards on"
        worst=1
    fi
    bug=$(bug_of "$scenario")
    if [ -z "$bug" ]; then
        echo "$attack: no guard stands against it alone"
    elif "$vopr" run --scenario "$scenario" --bug "$bug" --iterations "$seeds" --output compact >/dev/null; then
        echo "$attack: MISSED with the guard $bug off"
        worst=1
    else
        echo "$attack: caught with the guard $bug off"
    fi
done
exit "$worst"
