PYTHON ?= python3
VENV ?= .venv

.PHONY: test

test:
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable . pytest
	$(VENV)/bin/python -m pytest
