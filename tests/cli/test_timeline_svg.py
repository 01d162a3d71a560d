"""The SVG of a timeline: well formed, self-contained, and its geometry right."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorflow.cli.timeline_model import Bar, Lane, Timeline
from actorflow.cli.timeline_svg import LABELS, MARGIN, WIDTH, ticks_s, timeline_svg, x_of
from actorflow.runs.states import RunStatus
from tests.cli.test_timeline import ETL, of

SVG = "{http://www.w3.org/2000/svg}"


def drawn(shown: Timeline) -> ElementTree.Element:
    return ElementTree.fromstring(timeline_svg(shown))


def bars(root: ElementTree.Element, css: str) -> list[tuple[float, float, str]]:
    """(x, width, title) of each bar of that class in a lane."""
    found = [rect for lane in root.iter(f"{SVG}g") for rect in lane.iter(f"{SVG}rect") if rect.get("class") == css]
    return [
        (float(rect.get("x", "")), float(rect.get("width", "")), rect.findtext(f"{SVG}title") or "") for rect in found
    ]


def test_waiting_ends_where_running_begins() -> None:
    root = drawn(of(ETL))

    (wait,) = [one for one in bars(root, "wait") if one[2] == "attempt 1: waited 2.0s"]
    (run,) = [one for one in bars(root, "run") if one[2] == "attempt 1: succeeded, ran 1.0s"]
    assert wait[0] + wait[1] == pytest.approx(run[0], abs=0.02)


def test_lengths_are_to_scale() -> None:
    (extract, *_), scale = bars(drawn(of(ETL)), "critical"), (WIDTH - MARGIN - LABELS) / 10

    assert extract[1] == pytest.approx(2 * scale, abs=0.02)


def test_every_lane_says_in_words_what_it_shows() -> None:
    titles = [lane.findtext(f"{SVG}title") for lane in drawn(of(ETL)).iter(f"{SVG}g")]

    assert titles == [
        "extract: succeeded, on the critical path",
        "clean[*]: 3 succeeded, on the critical path",
        "lookup: succeeded",
        "report: succeeded, on the critical path",
    ]


def test_the_legend_names_every_kind_of_bar() -> None:
    words = {text.text for text in drawn(of(ETL)).iter(f"{SVG}text")}

    assert {"waiting", "running", "critical path", "failed"} <= words


def test_nothing_is_fetched_or_run() -> None:
    text = timeline_svg(of(ETL))

    assert text.count("http") == 1  # the name of SVG itself
    assert not any(word in text for word in ("<script", "<image", "href", "@import", "url(h"))


def test_a_name_cannot_break_out_of_the_text() -> None:
    name = '</text><script>alert("1")</script>&'
    lane = Lane(step=name, map_index=None, bars=[Bar(0, 1, 2, "succeeded", 1)], state="succeeded")
    shown = Timeline(
        run_id="r", dag=name, status=RunStatus.succeeded, started_s=0, ended_s=2, lanes=[lane], path=[name], path_s=2
    )

    root = drawn(shown)

    assert [element for element in root.iter() if element.tag.endswith("script")] == []
    assert any(name in (text.text or "") for text in root.iter(f"{SVG}title"))


def _bar(*times: float) -> Bar:
    since_s, started_s, ended_s = times
    return Bar(since_s, started_s, ended_s, "failed", 1)


times = st.floats(0, 1e6, allow_nan=False)


@given(st.lists(st.tuples(times, times, times), max_size=8), times, times)
def test_every_bar_stays_inside_the_picture(spans: list[tuple[float, float, float]], one: float, two: float) -> None:
    lanes = [
        Lane(step=f"s{n}", map_index=None, bars=[_bar(*sorted(span))], state="failed") for n, span in enumerate(spans)
    ]
    shown = Timeline(
        run_id="r",
        dag="d",
        status=RunStatus.failed,
        started_s=min(one, two),
        ended_s=max(one, two),
        lanes=lanes,
        path=[],
        path_s=0,
    )

    root = drawn(shown)

    for css in ("wait", "failed"):
        for x, width, _ in bars(root, css):
            assert x >= LABELS
            assert width > 0
            assert x + width <= WIDTH


@given(st.floats(0, 1e7))
def test_ticks_are_few_and_begin_at_the_start(seconds: float) -> None:
    ticks = ticks_s(seconds)

    assert ticks[0] == 0
    assert len(ticks) <= 9
    assert all(tick <= seconds + 1e-6 for tick in ticks)


def test_a_run_of_no_length_is_drawn_at_its_start() -> None:
    shown = Timeline(
        run_id="r", dag="d", status=RunStatus.succeeded, started_s=5, ended_s=5, lanes=[], path=[], path_s=0
    )

    assert x_of(5, shown) == LABELS
    assert drawn(shown).tag == f"{SVG}svg"
