"""Places: where in the user's files something was written."""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import sys
import sysconfig
from collections.abc import Callable
from functools import lru_cache
from types import CodeType, FrameType

from actorflow.flows.graph import Location

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARIES = tuple(
    {os.path.abspath(sysconfig.get_paths()[key]) + os.sep for key in ("stdlib", "platstdlib", "purelib", "platlib")}
)


def is_ours(file: str) -> bool:
    """True for a file of actorflow itself."""
    return file.startswith(_OURS)


@lru_cache(maxsize=1024)
def is_users(file: str) -> bool:
    """True for a file that is neither ours, nor the standard library's, nor an installed package's."""
    return not (is_ours(file) or file.startswith(("<frozen ", *_LIBRARIES)))


def calling_place(also: str = "") -> Location:
    """The innermost line of the user's own code that led here; of any code but ours when there is none.

    also: a file that counts as the user's own, wherever it is installed.
    """
    frame: FrameType | None = sys._getframe(1)
    fallback: Location | None = None
    while frame is not None:
        file = frame.f_code.co_filename
        if is_users(file) or file == also:
            return Location(file, frame.f_lineno)
        if fallback is None and not is_ours(file):
            fallback = Location(file, frame.f_lineno)
        frame = frame.f_back
    return fallback or Location("<unknown>", 0)


def definition_place(fn: Callable[..., object]) -> Location:
    """The line of `def name`, below its decorators."""
    node = _definition(fn)
    code = _code(fn)
    if code is None:
        return Location("<unknown>", 0)
    return Location(code.co_filename, code.co_firstlineno if node is None else node.lineno)


def return_place(fn: Callable[..., object]) -> Location:
    """The line of the return annotation of `fn`, else of its `def`."""
    node = _definition(fn)
    if node is None or node.returns is None:
        return definition_place(fn)
    return Location(definition_place(fn).file, node.returns.lineno)


def parameter_place(fn: Callable[..., object], name: str) -> Location:
    """The line of the parameter `name` of `fn`, else of its `def`."""
    node = _definition(fn)
    if node is not None:
        every = [*node.args.posonlyargs, *node.args.args, node.args.vararg, *node.args.kwonlyargs, node.args.kwarg]
        for argument in every:
            if argument is not None and argument.arg == name:
                return Location(definition_place(fn).file, argument.lineno)
    return definition_place(fn)


def user_frames(exc: BaseException) -> list[tuple[Location, str]]:
    """The lines of the user's own files that `exc` came through, outermost first, each with its text."""
    frames: list[tuple[Location, str]] = []
    trace = exc.__traceback__
    while trace is not None:
        place = Location(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        if is_users(place.file):
            frames.append((place, source_line(place)))
        trace = trace.tb_next
    return frames


def source_line(location: Location) -> str:
    """The text at `location`, without the spaces around it; "" where the file cannot be read."""
    linecache.checkcache(location.file)
    return linecache.getline(location.file, location.line).strip()


def shown_file(file: str) -> str:
    """`file` as a person standing in the current folder would write it."""
    try:
        relative = os.path.relpath(file)
    except (OSError, ValueError):
        return file
    return file if file.startswith("<") or relative.startswith("..") else relative


def shown(location: Location) -> str:
    """`dag.py:12`, relative to the current folder where the file is below it."""
    return f"{shown_file(location.file)}:{location.line}"


def _code(fn: Callable[..., object]) -> CodeType | None:
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _definition(fn: Callable[..., object]) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    code = _code(fn)
    if code is None:
        return None
    linecache.checkcache(code.co_filename)
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None
