#!/bin/sh
# Writes a report about one failing run of an attack: what it is, how it fails, how to repeat it.
# usage: tools/generate-bounty-submission.sh ATTACK SEED > report.md
set -eu
tools=$(dirname "$0")
# shellcheck source=tools/programs.sh
. "$tools/programs.sh"
[ $# -eq 2 ] || { sed -n '2,3s/^# //p' "$0" >&2; attacks | sed 's/^/  /' >&2; exit 2; }
scenario=$(scenario_of "$1") || exit 2
bug=$(bug_of "$scenario")
[ -n "$bug" ] || { echo "$0: no guard stands against $1 alone" >&2; exit 2; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
unset VOPR_OUTPUT_DIR VOPR_ITERATIONS

if "$vopr" run --scenario "$scenario" --bug "$bug" --seed "$2" --iterations 1 --save-failures "$out" >/dev/null; then
    echo "$0: seed $2 of $scenario holds with the guard $bug off" >&2
    exit 5
fi
bundle="$out/$scenario-$bug-$2.kmb"
"$vopr" minimize "$bundle" -o "$out/min.kmb" >/dev/null

cat <<REPORT
# $scenario: $bug

$("$vopr" scenarios --filter "$scenario" | sed 's/^/    /')

## Reproduction

    vopr run --scenario $scenario --bug $bug --seed $2 --iterations 1 --verbose

$("$vopr" --version)

## What breaks

$("$vopr_check" "$bundle" | sed -n '/^VIOLATED/,/^  reproduce/p' | sed '/^  reproduce/d; s/^/    /; s#'"$out"'/##')

## The smallest run that still breaks it

$("$vopr" show "$out/min.kmb" | sed 's/^/    /; s#'"$out"'/##g')

## The event that breaks it

$("$vopr" bisect "$out/min.kmb" | sed 's/^/    /')
REPORT
