# On a fresh machine, Python 3.11 or later and make are enough: every goal sets up what it needs in .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test browser soak check fix

help:  ## show the goals
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-8s%s\n", $$1, $$2 }'

setup: $(READY)  ## create .venv and install vidgan with what its tests need

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "vidgan needs Python 3.11 or later; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $(READY)

demo: $(READY)  ## enhance the sample and compare it with bicubic
	$(BIN)/python examples/demo.py

test: $(READY)  ## run the tests, except those that take minutes, an accelerator or a browser
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile -m "not slow and not gpu and not browser"

browser: $(READY)  ## run the tests that look at pages in chromium; without one they say that they are skipped
	$(BIN)/python -m pytest -q -rs -m browser

soak: $(READY)  ## half an hour of kills and of enhance in a loop: not part of CI
	$(BIN)/python benchmarks/soak.py

check: $(READY)  ## look for faults without running anything: ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(READY)  ## mend what ruff can mend, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
