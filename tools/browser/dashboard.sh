#!/bin/sh
# Opens the pages of `vopr dashboard`, and the report as a file, in a real browser without a screen: every page comes to rest, shows what
# it should, and writes nothing to the console. Screenshots stay in $SHOTS, if it is set.
# Exit status 77: there is no browser.
set -eu
cd "$(dirname "$0")/../.."
vopr=${VOPR:-target/debug/vopr}

# shellcheck source=tools/browser/browser.sh
. tools/browser/browser.sh
if [ -z "${VOPR:-}" ]; then cargo build --quiet -p vopr; fi

work=$(mktemp -d)
server=
cleanup() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap cleanup EXIT

# browse ADDRESS NAME WORDS...: opens a page, requires the words in it when it has come to rest, and silence on the console.
browse() {
    address=$1 name=$2
    shift 2
    shot=
    if [ -n "${SHOTS:-}" ]; then shot="--screenshot=$SHOTS/$name.png"; fi
    # A page is printed or photographed, never both; what is printed comes last and is read below.
    for output in $shot --dump-dom; do
        open_page "$address" "$work/$name.out" --window-size=1400,1800 --virtual-time-budget=5000 "$output"
    done
    for words in "$@"; do
        if ! grep -aqF "$words" "$work/$name.out"; then
            echo "$address does not show: $words" >&2
            exit 1
        fi
    done
    echo "fine: $name"
}

if [ -n "${SHOTS:-}" ]; then mkdir -p "$SHOTS"; fi
"$vopr" campaign crash_during_view_change swizzle --seeds 60 --seed 1 --bug stale_primary_serves_reads --dir "$work/data/night" >/dev/null || [ $? = 1 ]
"$vopr" campaign report "$work/data/night" --html "$work/report.html" >/dev/null
"$vopr" dashboard --data-dir "$work/data" --port 0 >"$work/server" &
server=$!
tries=0
while ! grep -qs '^http' "$work/server" && [ "$tries" -lt 100 ]; do sleep 0.1 && tries=$((tries + 1)); done
root=$(sed -n 's/^\(http[^ ]*\) .*/\1/p' "$work/server")

print=$("$vopr" campaign report "$work/data/night" --json | sed -n 's/.*"fingerprint":"\([^"]*\)".*/\1/p' | head -n 1)
seed=$("$vopr" campaign report "$work/data/night" --json | sed -n 's/.*"first":{[^}]*"seed":\([0-9]*\).*/\1/p' | head -n 1)
browse "file://$work/report.html" report "$print" "view_change_completed" "runs per second"
browse "$root" overview "night" "new or expired"
browse "${root}c/night/" campaign "$print" "view_change_completed" "runs per second"
browse "${root}c/night/group/$print" group "$print" "seed $seed"
browse "${root}c/night/run?scenario=crash_during_view_change&seed=$seed" timeline "crash_during_view_change seed $seed" "linearizability"
