"""`python tests/hostile/fuzz [TARGET ...]`: fuzzes targets one after the other, and prints the results as a table.

What was found goes on from one run to the next, in a folder of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from hashlib import sha1
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree

if __package__ is None or __package__ == "":
    hostile = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(hostile), str(hostile.parent / "support")]

from fuzz.table import TARGETS
from fuzz.target import Target

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
# Seconds for one input; MiB of the process, which must not grow; bytes of an input.
MOST_SECONDS, MOST_MEMORY, LONGEST_INPUT = 10, 1024, 16 * 1024
# Bytes of one input, and of all inputs of a target, that are kept in the repository.
LONGEST_KEPT, MAX_IDLE = 1024, 8 * 1024
BOUNDS = (f"-timeout={MOST_SECONDS}", f"-rss_limit_mb={MOST_MEMORY}", f"-max_len={LONGEST_INPUT}", "-len_control=100")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked for. Returns 1 where anything was found."""
    parser = ArgumentParser(prog="python tests/hostile/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; by default all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--into", type=Path, default=Path(".fuzz"), metavar="FOLDER", help="where what is found goes")
    parser.add_argument("--play", type=Path, metavar="FILE", help="play one input, without a fuzzer")
    parser.add_argument("--keep", action="store_true", help="take what was found into the repository, minimised")
    given = parser.parse_args(arguments)
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if given.play is None and find_spec("atheris") is None:
        parser.error("there is no atheris in this environment: pip install -e '.[fuzz]'")
    targets = [TARGETS[name] for name in given.targets or TARGETS]
    return sum([_do(target, given) for target in targets]) and 1


def _do(target: Target, given: Namespace) -> bool:
    """What is asked for, with one target. Whether anything was found."""
    folder = given.into / target.name
    if given.play is not None:
        target.run(given.play.read_bytes())
        return False
    if given.keep:
        keep(target, folder)
        return False
    return fuzz(target, folder, given.seconds)


def fuzz(target: Target, folder: Path, seconds: int) -> bool:
    """Fuzz one target, print a row, and say whether an input was found that is wrong."""
    _write(folder / "seeds", target.seeds())
    (folder / "found").mkdir(exist_ok=True)
    words = folder / "words.txt"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), encoding="ascii")
    flags = (
        *BOUNDS,
        f"-max_total_time={seconds}",
        f"-dict={words}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    )
    code, trace, log = _run(target, *flags, folder / "found", folder / "seeds", *_kept(target))
    (folder / "log.txt").write_text(log, encoding="utf-8")
    print(f"{target.name:20} {_figures(log)}  {'fine' if code == 0 else 'WRONG'}", flush=True)
    if code:
        found = re.findall("Test unit written to (.+)", log)
        print(trace, *found, f"What libFuzzer says of it: {folder / 'log.txt'}", sep="\n", flush=True)
    return code != 0


def keep(target: Target, folder: Path) -> None:
    """Take into the repository the fewest inputs by which every place is reached that a seed does not reach."""
    fewest = folder / "fewest"
    rmtree(fewest, ignore_errors=True)
    _write(fewest, target.seeds())
    seeds = {path.name for path in fewest.iterdir()}
    # Once a place is reached, how often makes no difference.
    code, _, log = _run(target, *BOUNDS, "-merge=1", "-use_counters=0", fewest, folder / "found", *_kept(target))
    assert code == 0, log
    small = sorted((path.stat().st_size, path) for path in fewest.iterdir() if path.name not in seeds)
    contents: list[bytes] = []
    room = MAX_IDLE
    for size, path in small:
        room -= size
        if size <= LONGEST_KEPT and room >= 0:
            contents.append(path.read_bytes())
    rmtree(CORPUS / target.name, ignore_errors=True)
    if contents:
        _write(CORPUS / target.name, contents)
    print(f"{target.name:20} {len(contents):3} of {len(small)} inputs, {sum(map(len, contents))} bytes", flush=True)


def _run(target: Target, *arguments: str | Path) -> tuple[int, str, str]:
    """The exit code of libFuzzer, the trace of what was raised, and what it said."""
    command = [sys.executable, str(HERE / "libfuzzer.py"), f"--target={target.name}", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, check=False)
    return ran.returncode, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace")


def _kept(target: Target) -> list[Path]:
    folder = CORPUS / target.name
    return [folder] if folder.is_dir() else []


def _write(folder: Path, contents: Iterable[bytes]) -> None:
    """Each in a file named as libFuzzer names it."""
    folder.mkdir(parents=True, exist_ok=True)
    for content in contents:
        (folder / sha1(content).hexdigest()).write_bytes(content)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _figures(log: str) -> str:
    """What libFuzzer counted: inputs, inputs a second, the places reached, the longest time, the most memory."""
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", log))
    reached = re.findall(r"cov: (\d+)", log)[-1:] or ["?"]
    return (
        f"{stats.get('number_of_executed_units', '?'):>9} inputs {stats.get('average_exec_per_sec', '?'):>6}/s"
        f" {reached[0]:>6} places, at most {stats.get('slowest_unit_time_sec', '?')} s"
        f" and {stats.get('peak_rss_mb', '?')} MiB"
    )


if __name__ == "__main__":
    sys.exit(main())
