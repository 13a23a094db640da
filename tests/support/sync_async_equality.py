"""Comparison of code that exists twice, blocking and async: the source without its async words."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

_NAMES = {
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclose": "close",
    "adrive": "drive",
    "adrive_recorded": "drive_recorded",
    "aiter": "iter",
    "anext": "next",
    "handle_async_request": "handle_request",
}


def blocking_text(code: type[Any] | Callable[..., Any]) -> str:
    """The source without its async words, its docstrings and its formatting."""
    tree = _Blocking().visit(ast.parse(textwrap.dedent(inspect.getsource(code))))
    return ast.unparse(ast.fix_missing_locations(tree))


def blocking_methods(code: type[Any]) -> dict[str, str]:
    """The source of each method that a class itself defines, by name, changed in the same way."""
    members = ((name, getattr(member, "fget", member)) for name, member in vars(code).items())
    return {_plain(name): blocking_text(member) for name, member in members if inspect.isfunction(member)}


def _plain(name: str) -> str:
    return _NAMES.get(name, name.removeprefix("Async"))


class _Blocking(ast.NodeTransformer):
    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self.visit_FunctionDef(ast.FunctionDef(**{name: getattr(node, name) for name in node._fields}))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = _plain(node.name)
        if ast.get_docstring(node) is not None:
            del node.body[0]
        return self.generic_visit(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self.generic_visit(ast.For(**{name: getattr(node, name) for name in node._fields}))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self.generic_visit(ast.With(**{name: getattr(node, name) for name in node._fields}))

    def visit_Await(self, node: ast.Await) -> Any:
        return self.visit(node.value)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.is_async = 0
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        # `AsyncGenerator` has no type for a return value, `Generator` has.
        if isinstance(node.value, ast.Name) and node.value.id == "AsyncGenerator":
            assert isinstance(node.slice, ast.Tuple)
            node.slice.elts.append(ast.Constant(None))
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = _plain(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = _plain(node.attr)
        return self.generic_visit(node)

    def visit_alias(self, node: ast.alias) -> ast.AST:
        node.name = _plain(node.name)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str):
            node.value = _plain(node.value)
        return node
