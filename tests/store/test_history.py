"""The conversation that `-c` goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import Home
from modelwire.messages import Message, Part
from modelwire_io.store import FileStore, MemoryStore, PrivateFileError
from modelwire_io.store.history import History, HistoryFile, open_history

ORIGIN = "https://www.hailuo.ai"
SAID = History(
    messages=(
        Message("user", "grüezi 雪"),
        Message("assistant", "hello"),
        Message("user", (Part(text="two "), Part(text="parts"), Part("image", "none"))),
    ),
    conversation={"token": "T-1", "chatID": "7", "characterID": "1"},
)


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    history = HistoryFile(FileStore(tmp_path), "hailuo", ORIGIN)
    assert history.load() is None
    history.save(SAID)
    assert HistoryFile(FileStore(tmp_path), "hailuo", ORIGIN).load() == SAID
    history.save(History(messages=(Message("user", "anew"),)))
    assert history.load() == History(messages=(Message("user", "anew"),), conversation=None)


def test_each_provider_and_address_has_one_of_its_own(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    HistoryFile(store, "hailuo", ORIGIN).save(SAID)
    assert HistoryFile(store, "hailuo", "http://127.0.0.1:8080/hailuo").load() is None
    assert HistoryFile(store, "cromicle", ORIGIN).load() is None


@pytest.mark.parametrize(
    "kept",
    [{}, {"messages": "hello"}, {"messages": [{"role": "user"}]}, {"messages": [], "conversation": "secret-token"}],
)
def test_one_that_cannot_be_read_is_named_without_what_it_says(kept: dict[str, object]) -> None:
    store = MemoryStore()
    store.save("hailuo", ORIGIN, kept)
    with pytest.raises(PrivateFileError, match=r"^the kept conversation with hailuo is damaged: ") as caught:
        HistoryFile(store, "hailuo", ORIGIN).load()
    assert "secret-token" not in str(caught.value)


def test_it_is_kept_in_the_users_state_or_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    for name, value in home.variables.items():
        monkeypatch.setenv(name, value)
    nowhere = open_history("hailuo", ORIGIN, is_kept=False)
    nowhere.save(SAID)
    assert nowhere.load() == SAID
    assert not home.state.exists()
    assert open_history("hailuo", ORIGIN, is_kept=False).load() is None
    open_history("hailuo", ORIGIN, is_kept=True).save(SAID)
    assert open_history("hailuo", ORIGIN, is_kept=True).load() == SAID
    assert (home.state / "hailuo.json").stat().st_mode & 0o777 == 0o600
