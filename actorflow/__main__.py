"""`python -m actorflow`: the same as the `actorflow` command."""

from __future__ import annotations

from actorflow.cli.main import main

if __name__ == "__main__":
    main()
