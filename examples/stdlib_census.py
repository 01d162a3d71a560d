"""Parse every module of this machine's standard library in worker processes and say which are the largest.

actorflow run examples/stdlib_census.py
actorflow run examples/stdlib_census.py -- --top 3
"""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

from anyio import to_thread
from pydantic import BaseModel

from actorflow import Retry, dag, task

STDLIB = Path(sysconfig.get_path("stdlib"))


class ModuleReport(BaseModel):
    """What one source file holds."""

    path: Path
    lines: int
    functions: int
    classes: int
    parses: bool


class Summary(BaseModel):
    """The library as a whole, and its largest modules by functions."""

    modules: int
    lines: int
    functions: int
    classes: int
    unparsable: int
    largest: list[str]


@task(
    retry=Retry(attempts=3, backoff="exponential", base="200ms", cap="10s", jitter=0.25, retry_on=[OSError]),
    timeout="30s",
)
async def list_modules(root: Path) -> list[Path]:
    found = await to_thread.run_sync(lambda: list(root.rglob("*.py")))  # a slow disk must not hold up the loop
    return sorted(path for path in found if "site-packages" not in path.parts)


@task(memory="256MiB")
def census(path: Path) -> ModuleReport:
    source = path.read_bytes()
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):  # the library's own tests hold files that must not parse
        return ModuleReport(path=path, lines=source.count(b"\n"), functions=0, classes=0, parses=False)
    return ModuleReport(
        path=path,
        lines=source.count(b"\n"),
        functions=sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes),
        classes=sum(isinstance(node, ast.ClassDef) for node in nodes),
        parses=True,
    )


@task
def summarise(reports: list[ModuleReport], top: int) -> Summary:
    ranked = sorted(reports, key=lambda report: (-report.functions, str(report.path)))
    return Summary(
        modules=len(reports),
        lines=sum(report.lines for report in reports),
        functions=sum(report.functions for report in reports),
        classes=sum(report.classes for report in reports),
        unparsable=sum(not report.parses for report in reports),
        largest=[f"{report.path.name}: {report.functions} functions" for report in ranked[:top]],
    )


@dag
def stdlib_census(root: Path = STDLIB, top: int = 10) -> Summary:
    """Which modules of the standard library hold the most functions?"""
    files = list_modules(root)
    reports = census.map(files)
    return summarise(reports, top)
