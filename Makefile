# make demo: sets everything up and runs the main job.  make test: sets everything up and passes the tests.
# PYTHON=python3.12 picks an interpreter; by default the first of 3.11 to 3.14 that is there.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' \
	2>/dev/null && echo $$name && break; done)
# Processes that tests run in; each may take a few GB.
WORKERS ?= 2
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ACCEPTANCE := $(VENV)/acceptance
# An environment for each engine of the device, with no other engine in it.
ENGINES := litert onnxruntime tflite-runtime
# AWS's own parts, a server that answers as AWS does, and a fuzzer of HTTP interfaces.
CLOUD := lambda moto cfn-lint schemathesis

.PHONY: help demo test acceptance check format docs clean

help:
	@echo "make demo    train, export, check and predict on embedded data"
	@echo "make test    all tests that this machine can run"
	@echo "make acceptance  other people's software, on which make test tries the exported files"
	@echo "make check   lint, format, types and known vulnerabilities of the dependencies"
	@echo "make format  rewrite the source in the project's format"
	@echo "make docs    write docs/cli.md from the commands' help"

$(READY): pyproject.toml constraints.txt $(wildcard edge_runtime/native/*)
	@test -n "$(PYTHON)" || { echo "snapship needs Python 3.11 to 3.14 with venv. Received: none on PATH. Install one, or pass PYTHON=..."; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON) (TensorFlow included; a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/snapship demo

test: $(READY) acceptance
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# What cannot be installed leaves its reason in log.txt, and the tests that need it skip with that line.
acceptance: $(ACCEPTANCE)/mediapipe/.ready $(ACCEPTANCE)/web/.ready $(ENGINES:%=$(ACCEPTANCE)/%/.ready) \
	$(ACCEPTANCE)/readers/.ready $(CLOUD:%=$(ACCEPTANCE)/%/.ready)

$(ACCEPTANCE)/mediapipe/.ready: tests/e2e/exporter/mediapipe-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $< && \
	$(@D)/bin/python -c 'from mediapipe.tasks.python import vision'; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "No MediaPipe here, its tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(ACCEPTANCE)/web/.ready: tests/e2e/exporter/web/package.json
	@mkdir -p $(@D) && rm -rf $@ $(@D)/node_modules && cp $< $(@D)
	@{ npm install --prefix $(@D) --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel error \
	--fetch-retries 1 --fetch-retry-mintimeout 1000; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "No browser runtimes here, their tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(ENGINES:%=$(ACCEPTANCE)/%/.ready): $(ACCEPTANCE)/%/.ready: tests/e2e/edge_runtime/%-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "No environment of $* here, its tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(ACCEPTANCE)/readers/.ready: tests/e2e/exporter/readers-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "No engines of other makers here, their tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(CLOUD:%=$(ACCEPTANCE)/%/.ready): $(ACCEPTANCE)/%/.ready: tests/e2e/serverless/%-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "No environment of $* here, its tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

# Says NOT CHECKED where it is not installed or its service is not reached; fails on a known vulnerability.
$(ACCEPTANCE)/audit/.ready: .ci/audit-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "No pip-audit here: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

check: $(READY) $(ACCEPTANCE)/audit/.ready
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python .ci/audit.py --pip-audit $(ACCEPTANCE)/audit/bin/pip-audit

format: $(READY)
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

docs: $(READY)
	$(BIN)/python -m snapship.clidocs

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .mypy_cache .ruff_cache
