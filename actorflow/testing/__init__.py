"""Public door: the test kit. Conformance kits for what plugs in; each is a tuple `CHECKS` of async functions.

transports: for a Transport. stores: for a RunStore.
"""

from __future__ import annotations

from actorflow.testing import stores as stores
from actorflow.testing import transports as transports
