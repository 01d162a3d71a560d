"""The example in the README runs and prints what the README says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "transports" / "README.md"


def test_the_example_prints_what_the_readme_says() -> None:
    text = README.read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    says = re.search(r"It prints `(.*?)`", text)
    assert example is not None
    assert says is not None

    ran = subprocess.run([sys.executable, "-W", "error", "-c", example[1]], capture_output=True, text=True, check=False)

    assert (ran.stdout.strip(), ran.stderr) == (says[1], "")
