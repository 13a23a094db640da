"""How Sphinx builds these pages."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "protocols"), str(ROOT / "transports")]

import modelwire  # noqa: E402

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

# What autodoc makes of annotations: aliases, type variables and what other projects define cannot be linked, since
# nothing is fetched while the pages are built. Every other reference must lead somewhere.
nitpick_ignore_regex = [(r"py:(class|data|obj)", r".*")]

_WORD_IN_CODE = re.compile(r"(?<![`\\])`([^`\n]+)`(?![`_])")


def as_rest(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain prose: `words` in backquotes are code, and what is indented after a colon is an example."""
    out: list[str] = []
    in_example = False
    for number, line in enumerate(lines):
        is_indented = line.startswith(" ")
        follows = number + 1 < len(lines) and lines[number + 1].startswith(" ") and bool(line) and not is_indented
        if follows and line.endswith(":") and not in_example:
            # `with ... :` and its body: the code begins here.
            out += ["::", "", f"    {line}"]
            in_example = True
        elif is_indented and not in_example:
            out += ["::", "", f"    {line}"]
            in_example = True
        elif in_example and (is_indented or not line):
            out.append(f"    {line}" if line else "")
        else:
            in_example = False
            # The escaped blank lets a letter follow at once: `Message`s.
            out.append(_WORD_IN_CODE.sub(r"``\1``\\ ", line))
    lines[:] = out


def add_modules(app: object, page: str, source: list[str]) -> None:
    """The modules of the core that the reference does not name itself."""
    if page != "api":
        return
    protocols = ROOT / "protocols"
    paths = sorted((protocols / "modelwire").rglob("[a-z]*.py"))
    modules = [".".join(path.relative_to(protocols).with_suffix("").parts) for path in paths]
    for module in modules:
        if f"automodule:: {module}\n" not in source[0]:
            source[0] += f"\n### {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n```\n"


def setup(app: object) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", as_rest)  # type: ignore[attr-defined]
    app.connect("source-read", add_modules)  # type: ignore[attr-defined]
