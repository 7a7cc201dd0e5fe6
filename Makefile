# Two commands for everybody: make demo, make test. Both set up what they need in .venv first.
PYTHON ?= python3.11
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q $(PIP_ARGS) -c constraints.txt

.PHONY: demo test test-long check bench clean

demo: $(VENV)/.demo
	@$(BIN)/peephole demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

# The same tests, those that take minutes included.
test-long: $(VENV)/.dev
	PEEPHOLE_LONG=1 $(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_shape.py

bench: $(VENV)/.dev
	$(BIN)/python -m bench

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or later is needed; set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "setting up: PyTorch and the demo's libraries into $(VENV); the first time takes a few minutes"
	@$(PIP) -e ".[demo]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "setting up: everything the tests need into $(VENV); the first time takes a few minutes"
	@$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) demo-out .ruff_cache .mypy_cache .pytest_cache
