# make demo: sets everything up and runs the main job.  make test: sets everything up and passes the tests.
# PYTHON=python3.12 picks an interpreter; by default the first of 3.11 to 3.13 that is there.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check format docs clean

help:
	@echo "make demo    train, export, check and predict on embedded data"
	@echo "make test    all tests that this machine can run"
	@echo "make check   lint, format and types"
	@echo "make format  rewrite the source in the project's format"
	@echo "make docs    write docs/cli.md from the commands' help"

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "snapship needs Python 3.11 to 3.13 with venv. Received: none on PATH. Install one, or pass PYTHON=..."; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) (TensorFlow included; a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/snapship demo

test: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

format: $(READY)
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

docs: $(READY)
	$(BIN)/python -m snapship.clidocs

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .mypy_cache .ruff_cache
