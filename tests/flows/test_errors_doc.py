"""docs/errors.md documents every code with an example, and each example gives exactly the output it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from actorflow.flows.faults import Code
from tests.flows.error_pages import DOCS, ErrorPage, error_pages, output_of

PAGES = error_pages(DOCS.read_text())


def test_every_code_has_a_page_under_its_name_in_the_order_of_the_codes() -> None:
    assert [(page.code, page.name) for page in PAGES] == [(code.value, code.name) for code in Code]


@pytest.mark.parametrize("page", PAGES, ids=[page.code for page in PAGES])
def test_the_example_of_a_code_gives_the_output_that_its_page_shows(
    page: ErrorPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    faults = output_of(page, tmp_path)

    assert str(faults) == page.output
    assert page.code in {fault.code.value for fault in faults.faults}
