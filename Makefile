# make demo: set up and run the main job.  make quick: unit tests.  make test: set up and run all tests.
# PYTHON=python3.12 picks an interpreter; the default is the first of 3.11 to 3.14 on PATH.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' \
	2>/dev/null && echo $$name && break; done)
# Containers often set it, and then every program that a test starts would compile all of our modules anew.
unexport PYTHONDONTWRITEBYTECODE
# Test processes; each may take a few GB.
WORKERS ?= 2
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ACCEPTANCE := $(VENV)/acceptance
# One environment per device engine, with no other engine in it; tflite-micro's has LiteRT, to compare with.
ENGINES := litert onnxruntime tflite-runtime tflite-micro
# From npm: browser runtimes, what drives browsers, and Kotlin's compiler.
NPM := web phone kotlin
# AWS's own runtime parts, a mock of AWS, a template linter and a fuzzer of HTTP APIs.
CLOUD := lambda moto cfn-lint schemathesis

.PHONY: help demo quick test acceptance check format docs dex picture wasm clean

help:
	@echo "make demo        train, export, check and predict on embedded data (5 GB of disk, 5 minutes the first time)"
	@echo "make quick       the unit tests, in under a minute"
	@echo "make test        all tests that this machine can run (10 GB of disk)"
	@echo "make acceptance  install the third-party software on which make test tries the exported files"
	@echo "make check       lint, format, types and known vulnerabilities of the dependencies"
	@echo "make format      rewrite the source in the project's format"
	@echo "make docs        write docs/cli.md from the commands' help, and the tables of docs/architecture.md"
	@echo "make wasm        build phone/web/core.wasm, the C core for browsers (needs clang and lld)"
	@echo "make dex         build phone/apk/classes.dex, the shell of the Android app (needs smali)"
	@echo "make picture     the README's picture of report.html (needs chromium)"

$(READY): pyproject.toml constraints.txt $(wildcard edge_runtime/native/*)
	@test -n "$(PYTHON)" || { echo "snapship needs Python 3.11 to 3.14 with venv. Received: none on PATH. Install one, or pass PYTHON=..."; exit 1; }
	@echo "Setting up $(VENV) with $(PYTHON): about 1.5 GB from PyPI (TensorFlow included), 5 GB of disk, a few minutes."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	$(BIN)/snapship demo

quick: $(READY)
	$(BIN)/python -m pytest tests/unit -n auto --dist loadfile -q -m "not slow and not hypothesis"

test: $(READY) acceptance
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --durations 30

# A package that cannot be installed leaves the reason in log.txt; the tests that need it skip with that line.
acceptance: $(ACCEPTANCE)/mediapipe/.ready $(NPM:%=$(ACCEPTANCE)/%/.ready) $(ENGINES:%=$(ACCEPTANCE)/%/.ready) \
	$(ACCEPTANCE)/readers/.ready $(ACCEPTANCE)/ray/.ready $(ACCEPTANCE)/torch/.ready $(CLOUD:%=$(ACCEPTANCE)/%/.ready)

$(ACCEPTANCE)/mediapipe/.ready: tests/e2e/exporter/mediapipe-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $< && \
	$(@D)/bin/python -c 'from mediapipe.tasks.python import vision'; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "MediaPipe is not installed; its tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(ACCEPTANCE)/web/.ready: tests/e2e/exporter/web/package.json
$(ACCEPTANCE)/phone/.ready: benchmarks/browsers/package.json
$(ACCEPTANCE)/kotlin/.ready: tests/functional/phone/gradle/package.json
$(NPM:%=$(ACCEPTANCE)/%/.ready):
	@mkdir -p $(@D) && rm -rf $@ $(@D)/node_modules && cp $< $(@D)
	@{ npm install --prefix $(@D) --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel error \
	--fetch-retries 1 --fetch-retry-mintimeout 1000; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "The packages of $(notdir $(@D)) are not installed; their tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(ENGINES:%=$(ACCEPTANCE)/%/.ready): $(ACCEPTANCE)/%/.ready: tests/e2e/edge_runtime/%-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "No environment for $*; its tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(ACCEPTANCE)/readers/.ready: tests/e2e/exporter/readers-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "The third-party engines are not installed; their tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(CLOUD:%=$(ACCEPTANCE)/%/.ready): $(ACCEPTANCE)/%/.ready: tests/e2e/serverless/%-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "No environment for $*; its tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

$(ACCEPTANCE)/ray/.ready: tests/e2e/cluster/ray-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "Ray is not installed; its tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

# In a folder and not an environment: it is used beside the packages of .venv.
$(ACCEPTANCE)/torch/.ready: tests/e2e/trainer/torch-requirements.txt
	@mkdir -p $(@D) && rm -rf $@ $(@D)/packages
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps --target $(@D)/packages -r $< && \
	PYTHONPATH=$(@D)/packages $(BIN)/python -c 'import torch'; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "PyTorch is not installed; its tests skip: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

# Prints NOT CHECKED if pip-audit is missing or its service unreachable; fails on a known vulnerability.
$(ACCEPTANCE)/audit/.ready: .ci/audit-requirements.txt
	@mkdir -p $(@D) && rm -f $@
	@{ $(PYTHON) -m venv $(@D) && \
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --no-deps -r $<; } >$(@D)/log.txt 2>&1 && touch $@ \
	|| echo "pip-audit is not installed: $$(grep -im1 error $(@D)/log.txt || tail -n 1 $(@D)/log.txt)"

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
	$(BIN)/python -m benchmarks.house --docs

# The Android app's shell, committed; smali is in Debian's libsmali-java. One job: more are not deterministic.
dex:
	smali a --api 24 --jobs 1 -o phone/apk/classes.dex phone/apk/smali

CHROMIUM ?= chromium
PICTURE := docs/images/report.png
picture: demo
	$(CHROMIUM) --headless --no-sandbox --hide-scrollbars --window-size=1100,1172 --screenshot=$(PICTURE) \
	file://$(CURDIR)/snapship-demo/digits.bundle/report.html
	$(BIN)/python -c 'import sys; from PIL import Image; \
	Image.open(sys.argv[1]).convert("RGB").quantize(64, dither=0).save(sys.argv[1], optimize=True)' $(PICTURE)

# The core without a C library, for browsers. The file is committed; a test builds it again and compares.
CLANG ?= clang
WASM ?= phone/web/core.wasm
CORE := $(filter-out %/python.c %/jni.c,$(sort $(wildcard edge_runtime/native/*.c)))
wasm:
	$(CLANG) --target=wasm32 -std=gnu11 -O2 -fno-unroll-loops -msimd128 -mbulk-memory -ffp-contract=off -ffreestanding \
	-nostdlib -Wall -Wextra -Werror -Wl,--no-entry,--stack-first,-z,stack-size=32768,--strip-all $(CORE) -o $(WASM)
	@chmod 644 $(WASM)

clean:
	rm -rf $(VENV) runs build dist .pytest_cache .mypy_cache .ruff_cache
