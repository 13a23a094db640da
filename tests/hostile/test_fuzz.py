"""The targets of `tests/hostile/fuzz` over what is known, without a fuzzer: so they do not rot."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.__main__ import CORPUS, LONGEST_KEPT, MAX_IDLE, main
from fuzz.table import TARGETS
from fuzz.target import Choices, Target
from modelwire.catalog import PROVIDERS
from modelwire.errors import InvalidInput
from modelwire.testing.faults.hostile import VALUES, Lined, Spliced, Valued
from modelwire.testing.wire import pieces

PLACES = st.integers(0, 4000)
CHANGES = st.lists(
    st.one_of(
        st.builds(Spliced, PLACES, st.integers(0, 8), st.binary(max_size=4)),
        st.builds(Valued, PLACES, st.sampled_from(sorted(VALUES))),
        st.builds(Lined, PLACES, st.sampled_from([0, 2])),
    ),
    max_size=3,
)


@cache
def seeds(name: str) -> list[bytes]:
    return list(TARGETS[name].seeds())


def kept(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_known(name: str) -> None:
    assert seeds(name)
    for data in (b"", *seeds(name), *kept(name)):
        TARGETS[name].run(data)


# Of many targets: each gets a part of what a property gets elsewhere.
@settings(max_examples=settings().max_examples // 3)
@given(st.data())
@pytest.mark.parametrize("name", TARGETS)
def test_what_is_like_it(name: str, data: st.DataObject) -> None:
    known = data.draw(st.sampled_from([*seeds(name), *kept(name)]))
    for change in data.draw(CHANGES):
        known = change.of(known)
    TARGETS[name].run(known)


def test_every_provider_has_a_target() -> None:
    assert {name.removeprefix("replies-") for name in TARGETS if name.startswith("replies-")} == set(PROVIDERS)


def test_what_is_kept_is_small_and_of_a_target() -> None:
    for folder in CORPUS.iterdir():
        assert folder.name in TARGETS
        sizes = [len(data) for data in kept(folder.name)]
        assert max(sizes) <= LONGEST_KEPT
        assert sum(sizes) <= MAX_IDLE


def refuse(message: str) -> Target:
    """A target that refuses everything."""

    def play(data: bytes) -> None:
        raise InvalidInput(message)

    return Target("refusing", play, (InvalidInput,), list)


def test_what_is_allowed_must_say_something_in_a_line() -> None:
    refuse("this is wrong").run(b"")
    for message in (" ", "two\nlines", "\x1b[31m", "x" * 3000):
        with pytest.raises(AssertionError, match="a refusal"):
            refuse(message).run(b"")


def test_what_is_not_allowed_is_told() -> None:
    with pytest.raises(InvalidInput):
        refuse("this is wrong")._replace(allowed=(KeyError,)).run(b"")


def test_choices_are_made_by_the_first_bytes() -> None:
    choices = Choices(b"\x01\x05\x02\x03abcdefgh")
    assert choices.one_of("ab") == "b"
    assert choices.number() == 5
    cuts, body = choices.cuts(), choices.rest
    assert list(pieces(body, cuts(body))) == [b"ab", b"cde", b"fgh"]
    assert list(pieces(b"", cuts(b""))) == [b""]
    assert Choices(b"").number() == 0


def test_one_input_can_be_played_again(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"data")
    assert main(["cookies", "--play", str(file)]) == 0
    with pytest.raises(SystemExit):
        main(["cookie", "--play", str(file)])


def test_who_has_no_fuzzer_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "atheris", None)
    with pytest.raises(SystemExit):
        main(["cookies", "--into", str(tmp_path / "out")])
    assert "pip install -e '.[fuzz]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
