"""Step inputs: the values that attempts get and a run returns, out of parameters and the results of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from actorflow.flows.graph import Const, DictOf, Input, ListOf, Output, Param
from actorflow.runs.stage_state import StageState
from actorflow.runs.values import Value


class StepInputs:
    """Resolves inputs whose steps are all terminal. params: by name. stages: by the name of their step."""

    def __init__(self, params: Mapping[str, Value], stages: Mapping[str, StageState]) -> None:
        self._params = params
        self._stages = stages

    def resolve(self, value: Input) -> object:
        """The plain value of an input; None stands for an output that there is not."""
        match value:
            case Const(plain):
                return plain
            case Param(name):
                return self._params[name].get()
            case Output(step):
                return self._stages[step].gathered().get()
            case ListOf(items, as_tuple):
                resolved = [self.resolve(item) for item in items]
                return tuple(resolved) if as_tuple else resolved
            case DictOf(items):
                return {key: self.resolve(item) for key, item in items}
        assert_never(value)

    def value(self, value: Input) -> Value:
        """The same as a value: the very one that a step returned or a parameter has, where that is all there is."""
        match value:
            case Output(step):
                return self._stages[step].gathered()
            case Param(name):
                return self._params[name]
            case _:
                return Value.of(self.resolve(value))

    def arguments(self, stage: StageState, index: int) -> Mapping[str, Value]:
        """What an attempt of this instance is called with."""
        if stage.constants is None:
            mapped = stage.step.mapped
            stage.constants = {name: self.value(value) for name, value in stage.step.inputs if name != mapped}
        if stage.step.mapped is None:
            return stage.constants
        return {stage.step.mapped: stage.element(index), **stage.constants}
