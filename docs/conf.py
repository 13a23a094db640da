"""The configuration of Sphinx."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "protocols"), str(ROOT / "transports")]

import modelwire  # noqa: E402
import modelwire.provider  # noqa: E402
from modelwire.emulators.emulator import MakeEmulator  # noqa: E402

# The annotation of a field, which `modelwire.provider` imports for type checkers alone.
vars(modelwire.provider)["MakeEmulator"] = MakeEmulator

project = "modelwire"
author = "The modelwire authors"
copyright = author
release = modelwire.__version__
version = release

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"modelwire {release}"
html_show_sphinx = False
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": False, "show-inheritance": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
add_module_names = False
python_use_unqualified_type_names = True

# Not links: references of annotations to aliases, type variables and other projects, because the build fetches nothing.
# Every other reference must resolve.
nitpick_ignore_regex = [(r"py:(class|data|obj)", r".*")]

_WORD_IN_CODE = re.compile(r"(?<![`\\])`([^`\n]+)`(?![`_])")
_LIST_ITEM = re.compile(r"(\d+\.|[-*]) ")


def as_rest(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Turn a docstring into reST: `words` in backquotes are code, an indented block is an example.

    The indented lines of a list's item are text.
    """
    out: list[str] = []
    in_example = in_item = False
    for number, line in enumerate(lines):
        is_indented = line.startswith(" ")
        if not is_indented:
            in_item = bool(_LIST_ITEM.match(line))
        follows = number + 1 < len(lines) and lines[number + 1].startswith(" ") and bool(line) and not is_indented
        if follows and line.endswith(":") and not in_example:
            # The example begins with this line: `with ... :` and its body.
            out += ["::", "", f"    {line}"]
            in_example = True
        elif is_indented and not in_example and not in_item:
            out += ["::", "", f"    {line}"]
            in_example = True
        elif in_example and (is_indented or not line):
            out.append(f"    {line}" if line else "")
        else:
            in_example = False
            # The escaped blank allows a letter right after the code: `Message`s.
            out.append(_WORD_IN_CODE.sub(r"``\1``\\ ", line))
    lines[:] = out


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", as_rest)  # type: ignore[attr-defined]
