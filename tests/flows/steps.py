"""Hand-built steps and graphs for tests, and hypothesis strategies for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from actorflow.flows.graph import (
    Const,
    DictOf,
    Graph,
    Input,
    ListOf,
    Location,
    Output,
    Param,
    ParamSpec,
    Step,
    TaskKind,
)


def step(name: str, *after: str, **fields: Any) -> Step:
    """A plain `def` step that waits for others."""
    defaults: dict[str, Any] = {"task": f"flow:{name}", "kind": TaskKind.sync, "location": Location("flow.py", 1)}
    return Step(name=name, after=after, **{**defaults, **fields})


def graph_of(*steps: Step, params: tuple[ParamSpec, ...] = (), result: Input | None = None) -> Graph:
    """A graph of the steps as they are given."""
    return Graph(
        name="flow",
        module="flow",
        location=Location("flow.py", 1),
        params=params,
        steps=steps,
        result=Const(None) if result is None else result,
    )


constants: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


# Inputs before it is known which steps there are: an Output counts back from its step, modulo.
_BACK = st.integers(0, 5).map(lambda back: Output(str(back)))
_LEAVES = st.builds(Const, constants) | st.sampled_from([Param("a"), Param("b")]) | _BACK
_INPUTS: st.SearchStrategy[Input] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(ListOf, st.lists(inner, max_size=3).map(tuple), as_tuple=st.booleans()),
        st.dictionaries(st.text(max_size=3), inner, max_size=2).map(lambda pairs: DictOf(tuple(pairs.items()))),
    ),
    max_leaves=3,
)
_STEPS = st.tuples(st.lists(_INPUTS, max_size=2), st.lists(st.integers(0, 5), max_size=2), st.booleans())


def _placed(value: Input, names: list[str]) -> Input:
    match value:
        case Output(back):
            return Output(names[-1 - int(back) % len(names)]) if names else Const(back)
        case ListOf(items, as_tuple):
            return ListOf(tuple(_placed(item, names) for item in items), as_tuple)
        case DictOf(items):
            return DictOf(tuple((key, _placed(item, names)) for key, item in items))
        case _:
            return value


def _graph(drawn: tuple[list[tuple[list[Input], list[int], bool]], Input]) -> Graph:
    names: list[str] = []
    steps: list[Step] = []
    for values, backs, is_mapped in drawn[0]:
        inputs = tuple((f"p{at}", _placed(value, names)) for at, value in enumerate(values))
        after = dict.fromkeys(names[-1 - back % len(names)] for back in backs if names)
        name = f"s{len(names)}"
        steps.append(step(name, *after, inputs=inputs, mapped="p0" if inputs and is_mapped else None))
        names.append(name)
    params = tuple(ParamSpec(name=name, annotation=int, required=True) for name in "ab")
    return graph_of(*steps, params=params, result=_placed(drawn[1], names))


def graphs() -> st.SearchStrategy[Graph]:
    """Graphs without faults, steps in topological order."""
    return st.tuples(st.lists(_STEPS, max_size=6), _INPUTS).map(_graph)
