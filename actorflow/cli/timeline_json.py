"""A timeline as plain JSON values."""

from __future__ import annotations

from actorflow.cli.timeline_model import Bar, Lane, Timeline


def timeline_json(shown: Timeline) -> dict[str, object]:
    """What `timeline --json` prints; times are epoch seconds."""
    return {
        "run_id": shown.run_id,
        "dag": shown.dag,
        "status": shown.status.value,
        "started": shown.started_s,
        "ended": shown.ended_s,
        "critical_path": list(shown.path),
        "critical_path_s": shown.path_s,
        "lanes": [_lane(lane) for lane in shown.lanes],
    }


def _lane(lane: Lane) -> dict[str, object]:
    return {
        "label": lane.label,
        "name": lane.step,
        "map_index": lane.map_index,
        "state": lane.state,
        "width": lane.width,
        "counts": dict(lane.counts),
        "critical": lane.critical,
        "bars": [_bar(bar) for bar in lane.bars],
    }


def _bar(bar: Bar) -> dict[str, object]:
    return {
        "attempt": bar.attempt,
        "waiting_since": bar.since_s,
        "started": bar.started_s,
        "ended": bar.ended_s,
        "state": bar.state,
    }
