#!/usr/bin/env bash
# The terminal browser in a real terminal: a campaign runs in a pane's back, keys are sent, screens are read.
# Needs tmux, and installs it where that is possible. Usage: tools/tui-test.sh [PATH-OF-VOPR], or VOPR=PATH-OF-VOPR tools/tui-test.sh
# Exit status 77: there is no tmux.
set -euo pipefail

if ! command -v tmux >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  apt-get update -qq && apt-get install -y -qq tmux >/dev/null || true
fi
if ! command -v tmux >/dev/null; then
  echo "vopr tui is not tested in a terminal: no tmux. Install it (apt-get install tmux), or put it on the path." >&2
  exit 77
fi

vopr=$(realpath "${1:-${VOPR:-target/release/vopr}}")
work=$(mktemp -d)
socket="vopr-tui-$$"
campaign=""
finish() {
  tmux -L "$socket" kill-server 2>/dev/null || true
  [ -z "$campaign" ] || kill "$campaign" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# Waits until a text is on the screen, however long that takes on a busy machine. A browser that has left shows nothing new any more, and
# one that is still there after two minutes without the text hangs.
sees() {
  for _ in $(seq 1200); do
    screen=$(tmux -L "$socket" capture-pane -p -t browser)
    if grep -qF -- "$1" <<<"$screen"; then
      echo "seen: $1"
      return
    fi
    if grep -qF "left with" <<<"$screen"; then break; fi
    sleep 0.1
  done
  echo "not seen: $1" >&2
  echo "$screen" >&2
  exit 1
}

press() { tmux -L "$socket" send-keys -t browser "$@"; }

cd "$work"
"$vopr" campaign baseline --bug lost_update --seed 1 --seeds 20 --dir c >campaign.txt 2>&1 &
campaign=$!
until compgen -G 'c/runs-*.jsonl' >/dev/null; do
  if ! kill -0 "$campaign" 2>/dev/null; then
    echo "the campaign did not begin:" >&2
    cat campaign.txt >&2
    exit 1
  fi
  sleep 0.1
done

# What it left with stays on the screen until the script ends.
tmux -L "$socket" -f /dev/null new-session -d -s browser -x 140 -y 40 "'$vopr' tui c; echo left with \$?; cat"
sees "vopr campaign"
sees "20 runs"
sees "> new"
press Enter
sees "> baseline"
press Enter
sees "update_on_stale_value"
press Escape
sees "> baseline"
press q
sees "left with 0"
echo "the browser does what its keys say"
