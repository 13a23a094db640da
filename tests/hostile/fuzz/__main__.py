"""`python tests/hostile/fuzz [TARGET ...]`: fuzzes targets one after the other, and prints the results as a table.

The findings of a run are stored in a folder, and the next run continues from there.
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
# Seconds: the most for one input.
MOST_SECONDS = 10
# MiB: the most memory of the process.
MOST_MEMORY = 1024
# Bytes: the longest input.
LONGEST_INPUT = 16 * 1024
# Bytes: the longest input in the corpus, and the most of all inputs of a target. They are part of the repository.
LONGEST_IN_CORPUS, LARGEST_CORPUS = 1024, 8 * 1024
BOUNDS = (f"-timeout={MOST_SECONDS}", f"-rss_limit_mb={MOST_MEMORY}", f"-max_len={LONGEST_INPUT}", "-len_control=100")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, play or minimise, as the arguments say. Returns 1 if a fault was found."""
    parser = ArgumentParser(prog="python tests/hostile/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; by default all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--into", type=Path, default=Path(".fuzz"), metavar="FOLDER", help="for the findings")
    parser.add_argument("--play", type=Path, metavar="FILE", help="play one input, without a fuzzer")
    parser.add_argument("--keep", action="store_true", help="minimise the findings, and add them to the corpus")
    given = parser.parse_args(arguments)
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    if given.play is None and find_spec("atheris") is None:
        parser.error("atheris is not installed: pip install -e '.[fuzz]'")
    targets = [TARGETS[name] for name in given.targets or TARGETS]
    return sum([_do(target, given) for target in targets]) and 1


def _do(target: Target, given: Namespace) -> bool:
    """Do it with one target. Returns True if a fault was found."""
    folder = given.into / target.name
    if given.play is not None:
        target.run(given.play.read_bytes())
        return False
    if given.keep:
        keep(target, folder)
        return False
    return fuzz(target, folder, given.seconds)


def fuzz(target: Target, folder: Path, seconds: int) -> bool:
    """Fuzz one target, and print a row. Returns True if an input revealed a fault."""
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
    code, trace, log = _run(target, *flags, folder / "found", folder / "seeds", *_corpus(target))
    (folder / "log.txt").write_text(log, encoding="utf-8")
    print(f"{target.name:20} {_figures(log)}  {'fine' if code == 0 else 'WRONG'}", flush=True)
    if code:
        found = re.findall("Test unit written to (.+)", log)
        print(trace, *found, f"Log of libFuzzer: {folder / 'log.txt'}", sep="\n", flush=True)
    return code != 0


def keep(target: Target, folder: Path) -> None:
    """Write the smallest corpus that reaches every place that no seed reaches."""
    fewest = folder / "fewest"
    rmtree(fewest, ignore_errors=True)
    _write(fewest, target.seeds())
    seeds = {path.name for path in fewest.iterdir()}
    # It only matters if a place is reached, not how often.
    code, _, log = _run(target, *BOUNDS, "-merge=1", "-use_counters=0", fewest, folder / "found", *_corpus(target))
    assert code == 0, log
    small = sorted((path.stat().st_size, path) for path in fewest.iterdir() if path.name not in seeds)
    contents: list[bytes] = []
    room = LARGEST_CORPUS
    for size, path in small:
        room -= size
        if size <= LONGEST_IN_CORPUS and room >= 0:
            contents.append(path.read_bytes())
    rmtree(CORPUS / target.name, ignore_errors=True)
    if contents:
        _write(CORPUS / target.name, contents)
    print(f"{target.name:20} {len(contents):3} of {len(small)} inputs, {sum(map(len, contents))} bytes", flush=True)


def _run(target: Target, *arguments: str | Path) -> tuple[int, str, str]:
    """Run libFuzzer. Returns its exit code, stdout (the traceback) and stderr (the log)."""
    command = [sys.executable, str(HERE / "libfuzzer.py"), f"--target={target.name}", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, check=False)
    return ran.returncode, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace")


def _corpus(target: Target) -> list[Path]:
    folder = CORPUS / target.name
    return [folder] if folder.is_dir() else []


def _write(folder: Path, contents: Iterable[bytes]) -> None:
    """Write each to a file named as libFuzzer names it."""
    folder.mkdir(parents=True, exist_ok=True)
    for content in contents:
        (folder / sha1(content).hexdigest()).write_bytes(content)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _figures(log: str) -> str:
    """The statistics of libFuzzer: inputs, inputs a second, places reached, longest time, peak memory."""
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", log))
    reached = re.findall(r"cov: (\d+)", log)[-1:] or ["?"]
    return (
        f"{stats.get('number_of_executed_units', '?'):>9} inputs {stats.get('average_exec_per_sec', '?'):>6}/s"
        f" {reached[0]:>6} places, at most {stats.get('slowest_unit_time_sec', '?')} s"
        f" and {stats.get('peak_rss_mb', '?')} MiB"
    )


if __name__ == "__main__":
    sys.exit(main())
