"""The help of the `modelwire` command, and its messages about wrong usage."""

from __future__ import annotations

import pytest

from command_line import Inside, files_in


def test_the_help_lists_commands_and_options(inside: Inside) -> None:
    result = inside.run("--help")
    assert (result.code, result.err) == (0, "")
    listed = result.out.partition("Commands:\n")[2].split("\n")
    commands = [line.split()[0] for line in listed if line]
    assert set(commands) >= {"demo", "chat", "image", "models", "emulate", "login"}
    for command in commands:
        result = inside.run(command, "--help")
        assert (result.code, result.err) == (0, "")
        assert f"Usage: modelwire {command} [OPTIONS]" in result.out
        assert "--debug" in result.out
        assert all(len(line) <= 80 for line in result.out.splitlines())
    nothing = inside.run()
    assert (nothing.code, nothing.out) == (2, "")
    assert "Commands:" in nothing.err
    assert inside.run("--version").out.startswith("modelwire, version ")


USAGE_ERRORS = {
    ("chta",): "unknown command 'chta': did you mean 'chat'?",
    ("zzz",): "unknown command 'zzz': there are: ",
    ("chat", "--emulat", "hi"): "No such option '--emulat'",
    ("chat", "-m"): "Option '-m' requires an argument; see: modelwire ",
    ("chat", "-m", "cromicel", "hi"): "unknown provider 'cromicel': did you mean 'cromicle'?",
    ("chat", "-m", "cromicle/gpt-3", "hi"): "unknown model 'gpt-3' for Cromicle: did you mean 'gpt-3.5-turbo'?",
    ("chat", "-m", "arta", "hi"): "ARTA is for images, not for chats: choose another provider",
    ("image", "-m", "cromicle", "hi"): "Cromicle is for chats, not for images: choose another provider",
    ("image", "-m", "arta/fulx", "hi"): "unknown model 'fulx' for ARTA: did you mean 'flux'?",
    ("chat", "-o", "tokn", "x", "hi"): "unknown option 'tokn': did you mean 'token'?",
    ("image", "-o", "steps", "many", "hi"): "bad option: Expected `int`, got `str` - at `$.steps`",
    ("image", "-n", "0", "hi"): "Invalid value for '-n': 0 is not in the range x>=1; see: modelwire image --help",
    ("chat",): "the prompt is empty: give a PROMPT, or pipe one in; see: modelwire chat --help",
    ("chat", "-"): "the prompt is empty: give a PROMPT, or pipe one in; see: modelwire chat --help",
    ("image",): "the prompt is empty: give a PROMPT, or pipe one in; see: modelwire image --help",
    ("chat", ""): "the prompt is empty: say something",
    ("chat", "bad \udcff byte"): "the prompt holds a lone surrogate, which UTF-8 cannot carry",
    ("chat", "--timeout", "0", "hi"): "the timeout must be a number of seconds, more than 0",
    ("chat", "--timeout", "soon", "hi"): "Invalid value for '--timeout': 'soon' is not a valid float; see: ",
    ("chat", "--base-url", "localhost:8080", "hi"): "'localhost:8080' is not an http(s) URL",
    ("chat", "--base-url", "http://x/#a", "hi"): "a base URL has no fragment: leave out the '#' and what follows it",
    ("chat", "--emulate", "--base-url", "http://x", "hi"): "--emulate and --base-url exclude each other; see: ",
    ("models", "arat"): "unknown provider 'arat': did you mean 'arta'?",
    ("login",): "Missing argument 'PROVIDER'; see: modelwire login --help",
    ("login", "halio"): "unknown provider 'halio': did you mean 'hailuo'?",
    ("login", "cromicle"): "Cromicle needs no login: modelwire chat -m cromicle PROMPT",
    ("login", "arta"): "there is no terminal to ask on: pipe the api key in, with --token-stdin; see: ",
    ("login", "arta", "--headless"): "--headless is for a browser, and this login opens none; see: ",
    ("login", "hailuo", "--manual", "--timeout", "9"): "--timeout is for a browser, and this login opens none; see: ",
    ("login", "hailuo", "--manual", "--token-stdin"): "--manual excludes --token-stdin and --import; see: ",
    ("login", "hailuo", "--import", "none.har"): "cannot read none.har: No such file or directory",
    ("login", "hailuo", "--base-url", "nowhere"): "'nowhere' is not an http(s) URL",
    ("logout", "cromicle", "--base-url", "nowhere"): "'nowhere' is not an http(s) URL",
    ("emulate", "--port", "70000"): "Invalid value for '--port': 70000 is not in the range 0<=x<=65535; see: ",
}


@pytest.mark.parametrize("words", USAGE_ERRORS, ids=lambda words: " ".join(words).encode("ascii", "replace").decode())
def test_wrong_usage_is_one_line_and_exit_code_2(inside: Inside, words: tuple[str, ...]) -> None:
    result = inside.run(*words)
    assert (result.code, result.out, len(result.notes)) == (2, "", 1)
    assert result.err.startswith(f"modelwire: {USAGE_ERRORS[words]}")
    assert files_in(inside.home.path) == []
