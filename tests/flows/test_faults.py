"""Faults as values: sorted, each once, shown with their line, and the same as JSON."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from actorflow.actors.errors import ActorflowError
from actorflow.flows.dag import dag
from actorflow.flows.faults import Code, Fault, FlowFaults, Related, did_you_mean, fault_to_json
from actorflow.flows.graph import Location
from actorflow.flows.places import calling_place, definition_place, parameter_place, return_place
from actorflow.flows.task import task

HERE = Location(__file__, 1)
LATER = Location(__file__, 3)


def test_faults_are_told_once_in_the_order_of_the_file() -> None:
    late, early = Fault(Code.cycle, "late", LATER), Fault(Code.cycle, "early", HERE)
    nowhere = Fault(Code.unknown_executor, "nowhere")

    faults = FlowFaults([late, early, nowhere, late])

    assert [fault.message for fault in faults.faults] == ["nowhere", "early", "late"]
    assert isinstance(faults, ActorflowError)


def test_a_fault_shows_its_code_its_line_its_other_places_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "flow.py"
    file.write_text("first()\n  second()\n")
    related = (Related(Location(str(file), 1), "the first"),)

    fault = Fault(Code.cycle, "it goes round", Location(str(file), 2), "break it", related)

    assert str(fault) == (
        "error[AF020] it goes round\n  --> flow.py:2   second()\n  flow.py:1   the first\n  help: break it"
    )


def test_a_line_is_read_again_after_the_file_changed(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    fault = Fault(Code.cycle, "it goes round", Location(str(file), 1))
    file.write_text("one()\n")
    before = str(fault)

    file.write_text("another()\n")

    assert "one()" in before
    assert "another()" in str(fault)


def test_a_place_that_cannot_be_read_is_shown_without_its_line() -> None:
    assert str(Fault(Code.cycle, "x", Location("<stdin>", 4))) == "error[AF020] x\n  --> <stdin>:4"


def test_faults_are_pickled_whole() -> None:
    faults = FlowFaults([Fault(Code.cycle, "one", HERE), Fault(Code.cycle, "two", LATER)])

    assert pickle.loads(pickle.dumps(faults)).faults == faults.faults


def test_a_fault_as_json() -> None:
    fault = Fault(Code.cycle, "it goes round", LATER, "break it", (Related(HERE, "here"),))

    assert fault_to_json(fault) == {
        "code": "AF020",
        "name": "cycle",
        "message": "it goes round",
        "file": __file__,
        "line": 3,
        "help": "break it",
        "related": [{"file": __file__, "line": 1, "text": "here"}],
    }


@pytest.mark.parametrize(
    ("name", "known", "help"),
    [
        ("tpo", ["root", "top"], "did you mean `top`?"),
        ("zzz", ["root", "top"], "known: root, top"),
        ("zzz", [], ""),
    ],
)
def test_a_suggestion_is_the_nearest_name_or_all_of_them(name: str, known: list[str], help: str) -> None:
    assert did_you_mean(name, known) == help


@task(
    timeout="3s",
)
def spread(
    first: int,
    second: str = "",
) -> list[int]:
    return [first]


def test_the_parts_of_a_signature_are_found_on_their_own_lines() -> None:
    lines = Path(__file__).read_text().splitlines()
    start = lines.index("def spread(") + 1

    assert definition_place(spread.fn) == Location(__file__, start)
    assert parameter_place(spread.fn, "second") == Location(__file__, start + 2)
    assert return_place(spread.fn) == Location(__file__, start + 3)
    assert parameter_place(spread.fn, "none_such") == definition_place(spread.fn)


def test_a_function_without_source_is_placed_by_its_code() -> None:
    namespace: dict[str, object] = {}
    exec(compile("\n\ndef made(x: int) -> int:\n    return x\n", "<made>", "exec"), namespace)
    made = namespace["made"]

    assert callable(made)
    assert return_place(made) == Location("<made>", 3)


def test_the_calling_line_is_the_users_also_through_the_standard_library() -> None:
    asking = type("Asking", (), {"__copy__": calling_place})

    place = copy.copy(asking())

    assert isinstance(place, Location)
    assert place.file == __file__


SCRIPT = """
import sys
from actorflow.flows import places

places._LIBRARIES += (sys.argv[1] + "/",)
sys.path.insert(0, sys.argv[1])
import af_installed

place = af_installed.pipeline.graph.steps[0].location
print(place.file == af_installed.__file__, place.line)
"""


def test_the_steps_of_an_installed_dag_stand_in_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "af_installed.py").write_text(
        "from actorflow import dag, task\n\n@task\ndef one() -> int:\n    return 1\n\n"
        "@dag\ndef pipeline() -> int:\n    return one()\n"
    )
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    command = [sys.executable, str(script), str(tmp_path / "library")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "9"]


def test_a_dag_of_this_file_has_its_steps_here() -> None:
    @dag
    def pipeline() -> list[int]:
        return spread(1)

    assert pipeline.graph.steps[0].location.file == __file__
