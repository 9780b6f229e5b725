#!/bin/sh
# Sourced by the scripts beside it: finds a browser, or installs one where that is possible, and opens pages in it without a screen.
# Exit status 77: there is no browser.

find_browser() {
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name"; then return; fi
    done
}

browser=$(find_browser)
if [ -z "$browser" ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq chromium >/dev/null
    browser=$(find_browser)
fi
if [ -z "$browser" ]; then
    echo "the pages are not tested: no browser. Install chromium (apt-get install chromium), or put one on the path." >&2
    exit 77
fi

# open_page ADDRESS OUTPUT FLAG...: opens a page, keeps what the browser prints when it has come to rest, and requires silence on the console.
# A browser that has not come to rest after two minutes is ended. ${work} holds its profile.
open_page() {
    page=$1 out=$2
    shift 2
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="${work:?}/profile" --enable-logging=stderr "$@" "$page" \
        >"$out" 2>"$out.log"
    if grep -a 'CONSOLE' "$out.log"; then
        echo "$page writes to the console" >&2
        exit 1
    fi
}
