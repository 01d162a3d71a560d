"""Worker zygote: what the workers of a run are forked from, and how its interpreter is started."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from actorflow.flows.load import import_folder
from actorflow.runs.executor import RunSite
from actorflow.runs.output_pipes import OutputPipes
from actorflow_supervisors.warden import Warden, Zygote

_BOOT = (
    "import os, sys; path = os.environ.pop('ACTORFLOW_PATH').split('\\n'); own = os.environ.pop('ACTORFLOW_OWN'); "
    "sys.path[:] = [*(entry for entry in path if entry != own), own]; "
    "import actorflow.executors.worker_main; from actorflow_supervisors.zygote_main import main; "
    "sys.path[:] = path; main()"
)
_PRELOAD = "actorflow.executors.worker_main:preload"
_SERVE = "actorflow.executors.worker_main:serve"


@asynccontextmanager
async def zygote_for(warden: Warden, site: RunSite, pipes: OutputPipes | None) -> AsyncGenerator[Zygote]:
    """What a run's workers are forked from: this interpreter, its flags, its import path, nothing of its state.

    The folder of the user's file comes last until actorflow is imported: a `json.py` beside that file is not for us.
    """
    own = import_folder(site.module, site.file)
    flags = [*interpreter_flags(), "-P", "-X", "faulthandler"]
    env = {
        **os.environ,
        "ACTORFLOW_PATH": "\n".join(sys.path),
        "ACTORFLOW_OWN": own,
        "ACTORFLOW_CAPTURED": "" if pipes is None else "1",
    }
    argv = [sys.executable, *flags, "-c", _BOOT, _PRELOAD, _SERVE, site.module, site.file, site.around or ""]
    output = None if pipes is None else pipes.open("import")
    try:
        zygote = await warden.zygote(
            argv, env=env, stdout=None if output is None else output.out, stderr=None if output is None else output.err
        )
        try:
            yield zygote
        finally:
            with anyio.CancelScope(shield=True):  # bounded: a kill, and the wait for it to be confirmed
                await zygote.stop()
    finally:
        if output is not None:
            output.close()


def interpreter_flags() -> list[str]:
    """What this interpreter was started with, as far as it changes what code does."""
    flags = ["-O"] * sys.flags.optimize
    flags += ["-B"] * bool(sys.dont_write_bytecode)
    flags += [f"-W{option}" for option in sys.warnoptions]
    return flags
