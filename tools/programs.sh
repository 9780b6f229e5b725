#!/bin/sh
# Sourced by the scripts beside it: finds the two programs. Those of the environment come first, then those of this checkout's
# release build, then those on the PATH.

find_program() {
    given=$1
    name=$2
    if [ -n "$given" ]; then
        echo "$given"
    elif [ -x "${tools:?}/../target/release/$name" ]; then
        echo "${tools:?}/../target/release/$name"
    elif command -v "$name" >/dev/null 2>&1; then
        echo "$name"
    else
        echo "$0: there is no $name: run cargo build --release, or name it in the environment" >&2
        exit 2
    fi
}

vopr=$(find_program "${VOPR:-}" vopr) || exit 2
# shellcheck disable=SC2034 # used by the scripts that read this file
vopr_check=$(find_program "${VOPR_CHECK:-}" vopr-check) || exit 2

# Scenarios of the registry whose name begins with byzantine_, without that.
attacks() {
    "$vopr" scenarios --phase 1 --json | sed -n 's/.*"name":"byzantine_\([a-z_]*\)".*/\1/p'
}

# The scenario of an attack; an unknown one is answered with the list.
scenario_of() {
    if attacks | grep -qx "$1"; then
        echo "byzantine_$1"
    else
        echo "$0: no attack is called $1. There are:" >&2
        attacks | sed 's/^/  /' >&2
        exit 2
    fi
}

# The seeded bug that a scenario is there to expose: the first whose row names the scenario first.
bug_of() {
    "$vopr" bugs --json | grep "\"scenarios\":\[\"$1\"" | sed -n 's/.*"name":"\([a-z_]*\)".*/\1/p' | head -n 1
}
