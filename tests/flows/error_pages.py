"""The pages of docs/errors.md: each code with its example, and what the example really gives."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from actorflow.flows.faults import FlowFaults
from actorflow.flows.limits import RunLimits
from actorflow.flows.load import imports_restored, load_dag
from actorflow.flows.params import parse_params
from actorflow.flows.plan import make_plan
from actorflow.runs.selection import left_out

DOCS = Path(__file__).parents[2] / "docs" / "errors.md"
_SECTION = re.compile(r"^## (AF\d{3}) (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"```(python|console)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class ErrorPage:
    """code, name: of the heading. file, source: of the example. command, output: of its console block."""

    code: str
    name: str
    file: str
    source: str
    command: str
    output: str


def error_pages(text: str) -> list[ErrorPage]:
    return [_page(*match.groups()) for match in _SECTION.finditer(text)]


def _page(code: str, name: str, body: str) -> ErrorPage:
    blocks = dict(_BLOCK.findall(body))
    source = blocks["python"]
    command, _, output = blocks["console"].partition("\n")
    file = source.splitlines()[0].removeprefix("# ")
    return ErrorPage(code, name, file, source, command.removeprefix("$ actorflow run "), output.strip("\n"))


def output_of(page: ErrorPage, folder: Path) -> FlowFaults:
    """What loading and planning the example raises; the current folder must be `folder`."""
    (folder / page.file).write_text(page.source)
    target, *flags = shlex.split(page.command)
    given: dict[str, str] = {}
    executor: str | None = None
    limits = RunLimits()
    select: list[str] = []
    for flag, value in zip(flags[::2], flags[1::2], strict=True):
        if flag == "--executor":
            executor = value
        elif flag == "--max-cpus":
            limits = RunLimits(max_cpus=float(value))
        elif flag == "--select":
            select.append(value)
        else:
            name, _, text = value.partition("=")
            given[name] = text
    with imports_restored():
        try:
            graph = load_dag(target).graph
            params = parse_params(graph.params, given, source="-p", location=graph.location)
            make_plan(graph, params, executor=executor, limits=limits, left_out=left_out(graph, select))
        except FlowFaults as faults:
            return faults
    raise AssertionError(f"the example of {page.code} has no fault")
