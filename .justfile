# Recipes for just (https://just.systems); every line is a command that also works by itself.

# Both programs, optimised.
build-release:
    cargo build --release --bin vopr --bin vopr-check

# Every test.
test:
    sh tools/test.sh

# Speed of simulation, recording, reading, checking.
bench:
    cargo xtask bench

# A few seeds of every scenario.
vopr-quick: build-release
    tools/vopr-quick.sh

# N seeds of every scenario, checkpointed; failing runs are kept.
vopr-full N: build-release
    VOPR_ITERATIONS={{N}} tools/vopr-overnight.sh
