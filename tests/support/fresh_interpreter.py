"""Scripts in a new Python process, with `protocols/` on its path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROTOCOLS = Path(__file__).resolve().parents[2] / "protocols"

LOADER = """
import importlib, json, sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def run_fresh(script: str, *arguments: str) -> str:
    """The output of a script in a new interpreter, without this one's environment variables for Python."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
    command = [sys.executable, "-I", "-c", script, str(PROTOCOLS), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def loaded_by(*modules: str) -> set[str]:
    """The modules that importing these modules loads in a new interpreter."""
    names: list[str] = json.loads(run_fresh(LOADER, *modules))
    return set(names)
