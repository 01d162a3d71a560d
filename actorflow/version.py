"""The version, in the one place that the build reads too; importlib.metadata would cost a cold start 80 ms."""

from __future__ import annotations

VERSION = "0.1.0.dev0"
