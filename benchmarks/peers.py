"""Virtual environments for the libraries that modelwire is compared with.

    python benchmarks/peers.py

Each `peers*.txt` beside this file becomes an environment `.venv-peers*` at the top of the repository, with the
interpreter that runs this script. It is made again if the file or the interpreter has changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def peer_python(name: str = "peers") -> Path:
    """The interpreter of an environment, which is made first if it is missing or out of date."""
    wanted = (HERE / f"{name}.txt").read_text(encoding="utf-8") + sys.version
    folder = ROOT / f".venv-{name}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "made-of.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        _make(folder, python, HERE / f"{name}.txt")
        stamp.write_text(wanted, encoding="utf-8")
    return python


def _make(folder: Path, python: Path, requirements: Path) -> None:
    print(f"making {folder.name} from {requirements.name}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--requirement", str(requirements)], check=True)


def main() -> None:
    for requirements in sorted(HERE.glob("peers*.txt")):
        print(peer_python(requirements.stem))


if __name__ == "__main__":
    main()
