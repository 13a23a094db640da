"""One target under atheris, which is libFuzzer for Python: `libfuzzer.py --target=NAME [FLAG | FOLDER ...]`.

The runner beside it starts one process of this for each target: libFuzzer ends the process that it runs in.
"""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from pathlib import Path
from random import Random

# The fuzzed packages, and the packages that only make inputs, in which no fault is sought.
FUZZED = ["modelwire", "modelwire_io", "h11"]
OTHERS = ["modelwire.testing", "modelwire.emulators"]
# Per cent: mutations that replace a value in JSON, which mutations of bytes seldom do.
IN_JSON = 20
MOST_PLACES = 400


def main() -> None:
    """Fuzz. Does not return."""
    # Imported by name, because it has no types and is not installed everywhere.
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=FUZZED, exclude=OTHERS):
        target = import_module("fuzz.table").TARGETS[_name()]
        hostile = import_module("modelwire.testing.faults.hostile")
    values = sorted(hostile.VALUES)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.randrange(100) >= IN_JSON:
            changed: bytes = atheris.Mutate(data, most)
        else:
            changed = hostile.ReplacedValue(random.randrange(MOST_PLACES), random.choice(values)).apply(data)
        return changed[:most]

    # libFuzzer starts this command again, in a shell, when it minimises.
    command = shlex.join([sys.executable, sys.argv[0]])
    atheris.Setup([command, *sys.argv[1:]], target.run, custom_mutator=mutate)
    atheris.Fuzz()


def _name() -> str:
    """The chosen target. libFuzzer passes arguments with two dashes on to every process that it starts."""
    return next(argument.partition("=")[2] for argument in sys.argv if argument.startswith("--target="))


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "support")]
    sys.path.remove(str(Path(__file__).parent))
    main()
