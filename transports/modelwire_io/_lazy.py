"""Public names that are imported when they are first used, so that nobody needs the packages of another transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

# Package that may be missing -> the extra of modelwire that installs it.
_EXTRAS = {
    "aiohttp": "aiohttp",
    "anyio": "h11",
    "filelock": "h11",
    "h11": "h11",
    "httpcore": "httpx",
    "httpcore2": "httpx2",
    "httpx": "httpx",
    "httpx2": "httpx2",
    "platformdirs": "h11",
    "playwright": "login",
    "urllib3": "urllib3",
    "yarl": "aiohttp",
}


def lazy_attributes(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Make the `__getattr__` of a package: `modules` maps each public name to the module of the package that has it.

    The returned function raises `ModuleNotFoundError`, with the extra to install, if a package is missing.
    """

    def get_attribute(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f".{modules[name]}", package), name)
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").partition(".")[0])
            if extra is None:
                raise
            message = f"{name} needs {error.name}, which is not installed: pip install 'modelwire[{extra}]'"
            raise ModuleNotFoundError(message, name=error.name) from None

    return get_attribute
