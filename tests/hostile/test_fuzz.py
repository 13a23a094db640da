"""The targets of `tests/hostile/fuzz` with known inputs and changes of them, without a fuzzer."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.__main__ import CORPUS, LARGEST_CORPUS, LONGEST_IN_CORPUS, main
from fuzz.table import TARGETS
from fuzz.target import Choices, Target
from modelwire.catalog import PROVIDERS
from modelwire.errors import InvalidInput
from modelwire.testing.faults.hostile import VALUES, RepeatedLine, ReplacedValue, Splice
from modelwire.testing.wire import chunks_of

PLACES = st.integers(0, 4000)
CHANGES = st.lists(
    st.one_of(
        st.builds(Splice, PLACES, st.integers(0, 8), st.binary(max_size=4)),
        st.builds(ReplacedValue, PLACES, st.sampled_from(sorted(VALUES))),
        st.builds(RepeatedLine, PLACES, st.sampled_from([0, 2])),
    ),
    max_size=3,
)


@cache
def seeds(name: str) -> list[bytes]:
    return list(TARGETS[name].seeds())


def corpus_of(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_corpus(name: str) -> None:
    assert seeds(name)
    for data in (b"", *seeds(name), *corpus_of(name)):
        TARGETS[name].run(data)


# There are many targets: each gets a fraction of the usual examples.
@settings(max_examples=settings().max_examples // 3)
@given(st.data())
@pytest.mark.parametrize("name", TARGETS)
def test_changes_of_a_known_input(name: str, data: st.DataObject) -> None:
    known = data.draw(st.sampled_from([*seeds(name), *corpus_of(name)]))
    for change in data.draw(CHANGES):
        known = change.apply(known)
    TARGETS[name].run(known)


def test_every_provider_has_a_target() -> None:
    assert {name.removeprefix("responses-") for name in TARGETS if name.startswith("responses-")} == set(PROVIDERS)


def test_the_corpus_is_small_and_belongs_to_targets() -> None:
    for folder in CORPUS.iterdir():
        assert folder.name in TARGETS
        sizes = [len(data) for data in corpus_of(folder.name)]
        assert max(sizes) <= LONGEST_IN_CORPUS
        assert sum(sizes) <= LARGEST_CORPUS


def refuse(message: str) -> Target:
    """A target that refuses every input."""

    def play(data: bytes) -> None:
        raise InvalidInput(message)

    return Target("refusing", play, (InvalidInput,), list)


def test_an_allowed_exception_needs_a_message_of_one_line() -> None:
    refuse("this is wrong").run(b"")
    for message in (" ", "two\nlines", "\x1b[31m", "x" * 3000):
        with pytest.raises(AssertionError, match="a refusal"):
            refuse(message).run(b"")


def test_an_exception_that_is_not_allowed_is_raised() -> None:
    with pytest.raises(InvalidInput):
        refuse("this is wrong")._replace(allowed=(KeyError,)).run(b"")


def test_the_first_bytes_make_the_choices() -> None:
    choices = Choices(b"\x01\x05\x02\x03abcdefgh")
    assert choices.one_of("ab") == "b"
    assert choices.number() == 5
    cuts, body = choices.cuts(), choices.rest
    assert list(chunks_of(body, cuts(body))) == [b"ab", b"cde", b"fgh"]
    assert list(chunks_of(b"", cuts(b""))) == [b""]
    assert Choices(b"").number() == 0


def test_one_input_can_be_played_again(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"data")
    assert main(["cookies", "--play", str(file)]) == 0
    with pytest.raises(SystemExit):
        main(["cookie", "--play", str(file)])


def test_without_atheris_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    with pytest.raises(SystemExit):
        main(["cookies", "--into", str(tmp_path / "out")])
    assert "pip install -e '.[fuzz]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
