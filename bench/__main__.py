"""Run the benchmark scripts, each in a process of its own, and print one JSON object: `python -m bench [NAME ...]`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def main(wanted: list[str]) -> int:
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    report: dict[str, object] = {
        "machine": {"python": platform.python_version(), "cores": os.cpu_count(), "system": platform.platform()}
    }
    failed = False
    for name in wanted or NAMES:
        print(f"bench {name} ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"bench.{name}"]
        done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, check=False)
        failed = failed or done.returncode != 0
        report[name] = json.loads(done.stdout) if done.returncode == 0 else {"exit_code": done.returncode}
    print(json.dumps(report, indent=2))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
