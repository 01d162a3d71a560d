"""The proxy: what a task call returns while the graph is built, an output or a parameter whose value is not there yet.

It may be passed to tasks, also inside lists, tuples and dicts, and returned from the dag. Any other use raises
FlowFaults that names the construct to use instead and the line of the user's file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from actorflow.flows.faults import Code, refused
from actorflow.flows.graph import Input, Location, Output
from actorflow.flows.places import calling_place

_DECIDE = "decide inside a task that takes it and returns the outcome; conditions between steps are not built yet"
_EACH = "to run a task once for each element write `some_task.map(...)`; to take it apart, pass it to a task"
_COMPUTE = "compute inside a task that takes it"
_COUNT = "pass it to a task and count there"
_PART = "pass it whole to a task and take the part there"
_TEXT = "build the text inside a task that takes it; `repr()` shows what it is"
_CONVERT = "pass it to a task and convert it there"
_KEY = "use a plain value as the key; as the value of a dict it is found"
_WAIT = "call tasks without `await`, `with` or `async`: the run waits for what each step needs"
_SET = "it cannot be changed; pass it to a task that returns a changed one"
_CALL = "it is no task; call a task and pass it as an argument"
_COPY = "pass the same one on: any number of tasks may take it"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an unresolved value comes from, for messages. place: finds the line of the annotation."""

    label: str
    short: str
    place: Callable[[], Location]


class Owner(Protocol):
    """The build that a value belongs to. file: of its dag."""

    file: str


class Unresolved:
    """A value that exists only when the run gets there.

    _input: what it is in the graph. _annotation: its declared type. _owner: the build it belongs to. Names with an
    underscore keep out of the user's way.
    """

    __slots__ = ("_annotation", "_input", "_origin", "_owner")
    _input: Input
    _annotation: object
    _origin: Origin
    _owner: Owner

    def __init__(self, value: Input, annotation: object, origin: Origin, owner: Owner) -> None:
        object.__setattr__(self, "_owner", owner)
        object.__setattr__(self, "_input", value)
        object.__setattr__(self, "_annotation", annotation)
        object.__setattr__(self, "_origin", origin)

    def __repr__(self) -> str:
        return f"<{self._origin.label}, not known yet>"

    def __getattr__(self, name: str) -> object:
        # Debuggers, copy, pickle and rich look for these and take AttributeError for "no".
        if (name.startswith("__") and name.endswith("__")) or name.startswith(("_repr_", "_ipython_")):
            raise AttributeError(name)
        _refuse(self, f"reading `.{name}` of", f"pass it whole to a task and read `.{name}` there")

    def __setattr__(self, name: str, value: object) -> None:
        _refuse(self, f"setting `.{name}` of", _SET)

    def __delattr__(self, name: str) -> None:
        _refuse(self, f"deleting `.{name}` of", _SET)

    def __copy__(self) -> Unresolved:
        return self

    def __deepcopy__(self, memo: object) -> Unresolved:
        return self


_USES: dict[str, tuple[str, str]] = {
    "__bool__": ("a truth test (`if`, `while`, `and`, `or`, `not`) of", _DECIDE),
    "__iter__": ("iterating or unpacking", _EACH),
    "__next__": ("`next()` of", _EACH),
    "__reversed__": ("`reversed()` of", _EACH),
    "__len__": ("`len()` of", _COUNT),
    "__contains__": ("`in` on", _DECIDE),
    "__getitem__": ("indexing", _PART),
    "__setitem__": ("setting an item of", _SET),
    "__delitem__": ("deleting an item of", _SET),
    "__str__": ("`str()` or an f-string of", _TEXT),
    "__format__": ("`format()` or an f-string of", _TEXT),
    "__bytes__": ("`bytes()` of", _CONVERT),
    "__fspath__": ("a path made of", _CONVERT),
    "__hash__": ("a dict key or set element made of", _KEY),
    "__call__": ("calling", _CALL),
    "__await__": ("`await` on", _WAIT),
    "__aiter__": ("`async for` over", _WAIT),
    "__anext__": ("`anext()` of", _WAIT),
    "__enter__": ("`with` on", _WAIT),
    "__exit__": ("`with` on", _WAIT),
    "__aenter__": ("`async with` on", _WAIT),
    "__aexit__": ("`async with` on", _WAIT),
    "__reduce_ex__": ("pickling", _COPY),
    **{f"__{name}__": (f"`{sign}` on", _DECIDE) for name, sign in zip(
        ("eq", "ne", "lt", "le", "gt", "ge"), ("==", "!=", "<", "<=", ">", ">="), strict=True)},
    **{f"__{side}{name}__": (f"`{sign}` on", _COMPUTE) for name, sign in {
        "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "matmul": "@",
        "lshift": "<<", "rshift": ">>", "and": "&", "or": "|", "xor": "^", "divmod": "divmod",
    }.items() for side in ("", "r", "i")},
    **{f"__{name}__": (f"`{sign}` on", _COMPUTE) for name, sign in {
        "neg": "-", "pos": "+", "abs": "abs()", "invert": "~", "round": "round()", "trunc": "trunc()",
        "floor": "floor()", "ceil": "ceil()"}.items()},
    **{f"__{name}__": (f"`{sign}` of", _CONVERT) for name, sign in {
        "int": "int()", "float": "float()", "complex": "complex()", "index": "a whole number (a slice, `range`)",
    }.items()},
}  # fmt: skip


def _refuse(value: Unresolved, use: str, help: str) -> NoReturn:
    when = "when the run gets there" if isinstance(value._input, Output) else "when a run starts"
    message = f"{use} {value._origin.label}: its value is known only {when}, not while the graph is built"
    raise refused(Code.unresolved_use, message, calling_place(value._owner.file), help)


def _refusal(use: str, help: str) -> Callable[..., NoReturn]:
    def refuse(self: Unresolved, *_: object) -> NoReturn:
        _refuse(self, use, help)

    return refuse


for _name, (_use, _help) in _USES.items():
    setattr(Unresolved, _name, _refusal(_use, _help))
