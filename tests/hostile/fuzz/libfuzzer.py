"""One target under atheris, which is libFuzzer for Python: `libfuzzer.py --target=NAME [FLAG | FOLDER ...]`.

The runner beside it starts one process of this for each target: libFuzzer ends the process that it runs in.
"""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from pathlib import Path
from random import Random

# What is fuzzed, and what makes the other side of it, in which there is nothing to be found.
FUZZED = ["modelwire", "modelwire_io", "h11"]
OTHERS = ["modelwire.testing", "modelwire.emulators"]
# Of a hundred changes, so many put another value in the place of one of JSON: bytes alone would seldom come to that.
IN_JSON = 20
MOST_PLACES = 400


def main() -> None:
    """Fuzz. Does not return."""
    # By name: it has no types, and is there only where somebody fuzzes.
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
            changed = hostile.Valued(random.randrange(MOST_PLACES), random.choice(values)).of(data)
        return changed[:most]

    # By this it starts itself again, in a shell, when it minimises.
    command = shlex.join([sys.executable, sys.argv[0]])
    atheris.Setup([command, *sys.argv[1:]], target.run, custom_mutator=mutate)
    atheris.Fuzz()


def _name() -> str:
    """The target that is asked for. libFuzzer hands on what begins with two dashes to every process that it starts."""
    return next(argument.partition("=")[2] for argument in sys.argv if argument.startswith("--target="))


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "support")]
    sys.path.remove(str(Path(__file__).parent))
    main()
