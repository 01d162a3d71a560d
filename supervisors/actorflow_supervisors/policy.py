"""Restart policy: is a child that ended started again?

| exit reason                     | permanent | transient | temporary |
|---------------------------------|-----------|-----------|-----------|
| Normal                          | yes       | no        | no        |
| Shutdown                        | yes       | no        | no        |
| Shutdown(detail="intensity")    | yes       | yes       | no        |
| Crashed                         | yes       | yes       | no        |
| Killed                          | yes       | yes       | no        |
| NoProc                          | yes       | yes       | no        |
| NodeDown                        | yes       | yes       | no        |
| InitFailed                      | yes       | yes       | no        |

Source: Erlang/OTP restart types; the third row is ours (see `exit_reason`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias, assert_never

from actorflow_supervisors.exit_reason import ExitReason, is_abnormal


class Restart(StrEnum):
    """When a child is restarted: always, after an abnormal exit only, or never."""

    permanent = "permanent"
    transient = "transient"
    temporary = "temporary"


RestartName: TypeAlias = Literal["permanent", "transient", "temporary"]


def should_restart(restart: Restart, reason: ExitReason) -> bool:
    """True if a child of type `restart` that ended for `reason` is started again (table: the module's docstring)."""
    match restart:
        case Restart.permanent:
            return True
        case Restart.transient:
            return is_abnormal(reason)
        case Restart.temporary:
            return False
        case _:
            assert_never(restart)
