#!/usr/bin/env bash
# The terminal browser in a real terminal: a campaign runs in a pane's back, keys are sent, screens are read.
# Needs tmux. Usage: tools/tui-test.sh [PATH-OF-VOPR]
set -euo pipefail

vopr=$(realpath "${1:-target/release/vopr}")
work=$(mktemp -d)
socket="vopr-tui-$$"
campaign=""
finish() {
  tmux -L "$socket" kill-server 2>/dev/null || true
  [ -z "$campaign" ] || kill "$campaign" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# Waits until a text is on the screen, for twenty seconds at most.
sees() {
  for _ in $(seq 200); do
    if tmux -L "$socket" capture-pane -p -t browser | grep -qF -- "$1"; then
      echo "seen: $1"
      return
    fi
    sleep 0.1
  done
  echo "not seen: $1" >&2
  tmux -L "$socket" capture-pane -p -t browser >&2
  exit 1
}

press() { tmux -L "$socket" send-keys -t browser "$@"; }

cd "$work"
"$vopr" campaign baseline --bug lost_update --seed 1 --seeds 20 --dir c > campaign.txt 2>&1 &
campaign=$!
for _ in $(seq 200); do
  [ -z "$(ls c/runs-*.jsonl 2>/dev/null)" ] || break
  sleep 0.1
done

tmux -L "$socket" new-session -d -s browser -x 140 -y 40 "'$vopr' tui c; echo left with \$?; sleep 60"
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
