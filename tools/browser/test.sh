#!/bin/sh
# Opens pages of `vopr-check --report` in a real browser without a screen: no error on the console, everything that can be pressed
# works, and a page of a hundred thousand events is drawn. Milliseconds per frame are printed, not judged: machines are shared.
# Screenshots stay in $SHOTS, if it is set. Exit status 77: there is no browser.
set -eu
cd "$(dirname "$0")/../.."
vopr=${VOPR:-target/debug/vopr}
check=${VOPR_CHECK:-target/debug/vopr-check}
# shellcheck source=tools/browser/browser.sh
. tools/browser/browser.sh
if [ -z "${VOPR:-}" ]; then cargo build --quiet -p vopr -p vopr-check; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# browse PAGE OUTPUT [FLAG...]: opens a page that is a file.
browse() {
    file=$1 printed=$2
    shift 2
    open_page "file://$file" "$printed" --window-size=1500,900 --virtual-time-budget=20000 "$@"
}

# behind PAGE SCRIPT OUT: the page with a script behind its own.
behind() {
    { cat "$1"; printf '<script>\n'; cat "$2"; printf '</script>\n'; } >"$3"
}

# noted NAME FILE: what a script wrote onto the body.
noted() {
    grep -ao "data-$1=\"[^\"]*\"" "$2" | sed -e "s/data-$1=\"//" -e 's/"$//' -e 's/&quot;/"/g'
}

"$vopr" run --scenario crash_during_view_change --bug stale_primary_serves_reads --seed 9 -n 2 --save-failures "$work/stale" >/dev/null || [ $? = 1 ]
"$check" "$work/stale" --report "$work/stale.html" >/dev/null || [ $? = 1 ]
behind "$work/stale.html" tools/browser/drive.js "$work/driven.html"
browse "$work/driven.html" "$work/driven.txt" --dump-dom
said=$(noted checked "$work/driven.txt")
echo "page: ${said:-the script did not come to its end}"
[ "$said" = "everything works" ]

"$vopr" run --scenario client_session_eviction --seed 3 -n 1 --no-check --out "$work/large" >/dev/null
"$check" "$work/large" --invariant hash_chain --report "$work/large.html" >/dev/null
behind "$work/large.html" tools/browser/measure.js "$work/measured.html"
browse "$work/measured.html" "$work/measured.txt" --dump-dom
said=$(noted measured "$work/measured.txt")
echo "frames: ${said:-the script did not come to its end}"
echo "$said" | python3 -c "
import json, sys
measured = json.load(sys.stdin)
sys.exit(0 if measured['rows'] >= 100_000 and measured['cone_messages'] > 0 else f'too little was drawn: {measured}')"

if [ -n "${SHOTS:-}" ]; then
    mkdir -p "$SHOTS"
    browse "$work/stale.html" "$work/shot.txt" --screenshot="$SHOTS/stale.png"
    browse "$work/large.html" "$work/shot.txt" --screenshot="$SHOTS/large.png"
fi
