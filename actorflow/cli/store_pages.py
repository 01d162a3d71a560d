"""What `actorflow store` shows. Pure: values in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

from actorflow.cli.spans import Line, bad, dim, line, ok, strong, warn
from actorflow.cli.words import number, plural, size
from actorflow.runs.run_check import RunCheck
from actorflow.runs.store_care import Pruned, StoreInfo


def check_lines(checks: Sequence[RunCheck]) -> list[Line]:
    """A line for each run, what is wrong with it below, and a count."""
    lines: list[Line] = []
    for check in checks:
        counts = f"{plural(check.rows, 'row')}, {plural(check.values, 'large value')}, {size(check.size_bytes)}"
        lines.append(
            line(ok("sound  ") if check.is_sound else bad("damaged"), " ", strong(check.run_id), f"  {counts}")
        )
        for seq, what in check.problems:
            lines.append(line("          ", f"row {number(seq)}: {what}" if seq is not None else what))
    damaged = sum(not check.is_sound for check in checks)
    if damaged:
        lines.append(line(bad(f"{plural(damaged, 'run')} damaged"), f" of {number(len(checks))}"))
    elif len(checks) != 1:
        lines.append(line(dim(f"{plural(len(checks), 'run')}, all sound") if checks else dim("no runs")))
    return lines


def info_lines(info: StoreInfo) -> list[Line]:
    """Name and value, a line each."""
    statuses = ", ".join(f"{number(count)} {status}" for status, count in info.by_status.items())
    sizes = ", ".join(f"{part} {size(n_bytes)}" for part, n_bytes in info.sizes.items())
    rows = [
        ("store", info.path if info.exists else f"{info.path}, which does not exist yet"),
        ("runs", f"{number(info.runs)}" + (f": {statuses}" if statuses else "")),
        ("size", size(info.size_bytes) + (f": {sizes}" if sizes else "")),
        ("free", "unknown" if info.free_bytes is None else size(info.free_bytes)),
        ("file system", info.file_system or "unknown"),
        ("format", f"layout {info.layout}, journals {info.journal_format}, SQLite {info.sqlite}"),
    ]
    lines = [line(dim(f"{name:<12}"), text) for name, text in rows]
    lines += [line(warn("damaged     "), run_id) for run_id in info.damaged]
    if info.unfinished_removals:
        lines.append(
            line(warn("unfinished  "), f"{plural(info.unfinished_removals, 'removal')}; the next prune ends them")
        )
    return lines


def pruned_lines(done: Sequence[Pruned], *, dry_run: bool) -> list[Line]:
    """A line for each run that went or would, and what that makes together."""
    lines: list[Line] = []
    for pruned in done:
        status = pruned.run.status.value
        told = bad(f"  stays: {pruned.problem}") if pruned.problem else dim(f"  {size(pruned.size_bytes)}")
        lines.append(line("  ", strong(pruned.run.run_id), f"  {pruned.run.dag} {status}", told))
    gone = [pruned for pruned in done if not pruned.problem]
    verb = "would go" if dry_run else "removed"
    total = size(sum(pruned.size_bytes for pruned in gone))
    return [*lines, line(f"{plural(len(gone), 'run')} {verb}, {total}" if gone else dim("nothing to remove"))]
