# Every habit of the house. `make demo` and `make test` need only git, make and Python >= 3.11; uv is used when it is there.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
UV := $(shell command -v uv 2>/dev/null)
PYTEST_ARGS ?=
BENCH_ARGS ?=

.PHONY: demo test test-package test-slow check lint types bench bench-peers lock dist clean

demo: $(VENV)/.runtime        ## run the standard-library census on this machine's own Python
	$(BIN)/actorflow run examples/stdlib_census.py

test: $(VENV)/.dev            ## the quick tests, on asyncio and trio
	$(BIN)/python -m pytest -n auto -m "not slow" $(PYTEST_ARGS)

test-slow: $(VENV)/.dev       ## long fault, fuzz and soak runs; ACTORFLOW_TEST_SCALE multiplies their counts
	$(BIN)/python -m pytest -m slow --timeout 3600 $(PYTEST_ARGS)

test-package: $(VENV)/.dev    ## the wheel and the checkout, each installed into an empty environment
	$(BIN)/python -m pytest -q tests/test_packaging.py

check: lint types             ## everything but the tests that `make test` runs

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -q tests/test_floors.py

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/pyright

bench: $(VENV)/.dev           ## JSON on stdout; each case beside its physical limit
	$(BIN)/python -m bench

bench-peers: $(PEERS)/.ready  ## beside pykka, thespian, xoscar, Dask, Ray, Luigi, DBOS, Prefect, Dagster: JSON on stdout, tables on stderr
	$(PEERS)/bin/python -m bench.peers $(BENCH_ARGS)

lock:                         ## needs uv; --upgrade by `make lock UPGRADE=--upgrade`
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header $(UPGRADE) -o requirements.lock pyproject.toml
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header $(UPGRADE) --extra dev -o requirements-dev.lock pyproject.toml
	uv pip compile -q --python-version 3.11 --no-annotate --no-header $(UPGRADE) --extra trio --extra uvloop -o bench/peers/peers.lock pyproject.toml bench/peers/peers.in

dist: $(VENV)/.dev
	$(BIN)/python -m pip wheel -q --no-deps -w dist .

clean:
	rm -rf $(VENV) $(PEERS) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)$(UV)" || { echo "actorflow needs Python >= 3.11: install it, or name one with 'make PYTHON=/path/to/python3.11'" >&2; exit 2; }
ifneq ($(UV),)
	uv venv -q $(if $(PYTHON),--python $(PYTHON),--python '>=3.11') $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif

ifneq ($(UV),)
INSTALL := VIRTUAL_ENV=$(VENV) uv pip install -q
INSTALL_PEERS := VIRTUAL_ENV=$(PEERS) uv pip install -q
else
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check
INSTALL_PEERS := $(PEERS)/bin/python -m pip install -q --disable-pip-version-check
endif

$(VENV)/.runtime: pyproject.toml requirements.lock | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

# The peers have an environment of their own: they need versions that we must not depend on. One that does not install is
# left out, and the comparison says so.
$(PEERS)/.ready: bench/peers/peers.lock pyproject.toml | $(BIN)/python
ifneq ($(UV),)
	uv venv -q --clear --python $(BIN)/python $(PEERS)
else
	$(BIN)/python -m venv --clear $(PEERS)
endif
	$(INSTALL_PEERS) -r bench/peers/peers.lock || { $(INSTALL_PEERS) -r requirements.lock trio uvloop && \
		sed 's/ *#.*//' bench/peers/peers.in | while read -r peer; do \
			test -z "$$peer" || $(INSTALL_PEERS) "$$peer" || echo "$$peer does not install here" >&2; done; }
	$(INSTALL_PEERS) --no-deps -e .
	@touch $@
