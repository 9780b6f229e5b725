#!/bin/sh
# A long campaign that survives being stopped: checkpointed every second, failing runs kept as bundles.
# usage: tools/vopr-overnight.sh            begins VOPR_OUTPUT_DIR/DATE/
#        tools/vopr-overnight.sh DIR        goes on with that one
# environment: VOPR_ITERATIONS  seeds per scenario (2000)      VOPR_SEED        first seed (drawn, and printed)
#              VOPR_OUTPUT_DIR  where the DATE goes (vopr-results)   VOPR_SCENARIO  scenarios (all)
set -eu
tools=$(dirname "$0")
# shellcheck source=tools/programs.sh
. "$tools/programs.sh"
out=${1:-${VOPR_OUTPUT_DIR:-vopr-results}/$(date +%Y%m%d-%H%M%S)}
iterations=${VOPR_ITERATIONS:-2000}
scenario=${VOPR_SCENARIO:-all}
unset VOPR_OUTPUT_DIR VOPR_ITERATIONS
mkdir -p "$out"

echo "results: $out (go on after an interruption: $0 $out)"
status=0
if [ -n "${VOPR_SEED:-}" ]; then set -- --seed "$VOPR_SEED"; else set --; fi
"$vopr" run --scenario "$scenario" --iterations "$iterations" "$@" \
    --checkpoint-file "$out/checkpoint.json" --save-failures "$out/failures" >"$out/output.partial" 2>"$out/errors.partial" || status=$?
cat "$out/output.partial" "$out/errors.partial" >>"$out/vopr.log"

# Resumed campaigns print earlier failures again: what the last call printed is all of it.
grep -A 14 '^FAILED' "$out/output.partial" >"$out/failures.log" || true
{
    echo "exit status: $status"
    echo
    sed -n '/^scenario  /,$p' "$out/output.partial"
    if [ -s "$out/failures.log" ]; then
        echo
        echo "failures by invariant:"
        sed -n 's/^FAILED seed [0-9]*: \([a-z_]*\):.*/\1/p' "$out/failures.log" | sort | uniq -c | sort -rn
    fi
} >"$out/summary.txt"
rm -f "$out/output.partial" "$out/errors.partial"
cat "$out/summary.txt"
exit "$status"
