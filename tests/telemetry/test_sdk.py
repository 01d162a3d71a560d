"""The resource of spans is what the environment says, and costs each span nothing."""

from __future__ import annotations

import pytest
from opentelemetry.sdk import resources
from opentelemetry.sdk.resources import SERVICE_NAME, Resource

from actorflow.telemetry.sdk import resource


def test_the_service_is_actorflow_where_nothing_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)

    assert resource().attributes[SERVICE_NAME] == "actorflow"


def test_the_resource_is_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=data")

    found = resource()

    assert (found.attributes[SERVICE_NAME], found.attributes["team"]) == ("nightly", "data")
    assert found == Resource(found.attributes, found.schema_url)
    assert hash(found) == hash(Resource(found.attributes, found.schema_url))


def test_the_resource_is_written_out_once_however_often_it_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = resource()

    monkeypatch.setattr(resources, "dumps", None)

    assert {found: 1}[found] == 1
