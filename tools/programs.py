"""Finds the two programs for the scripts beside it, as programs.sh does for those of the shell."""

import os
import pathlib
import shutil
import sys


def program(name: str, variable: str) -> str:
    """The program that the environment names, that of this checkout's release build, or the one on the PATH."""
    built = pathlib.Path(__file__).resolve().parent.parent / "target" / "release" / name
    found = os.environ.get(variable) or (str(built) if built.exists() else shutil.which(name))
    if not found:
        sys.exit(f"{pathlib.Path(sys.argv[0]).stem}: there is no {name}: run cargo build --release")
    return found
