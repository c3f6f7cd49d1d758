# One command sets up and runs, one sets up and tests. Needs Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow test-lowest lint bench screenshots docs clean

demo: $(VENV)/.ready
	$(BIN)/ablation-planner demo

test: lint
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: lint $(VENV)/.ready-slow
	$(BIN)/python -m pytest -n 2
	$(BIN)/python -m tests.fuzz --seconds 120

# The lower bounds of pyproject.toml, tried in an environment of their own.
test-lowest:
	$(PYTHON) -m venv --clear .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --disable-pip-version-check --group dev
	.venv-lowest/bin/python -m pytest -n 2 -m "not slow"

lint: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	touch $@

$(VENV)/.ready-slow: $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group slow
	touch $@

bench: $(VENV)/.ready-slow
	$(BIN)/python -m bench.reading
	$(BIN)/python -m bench.batch
	$(BIN)/python -m bench.cluster
	$(BIN)/python -m bench.memory
	$(BIN)/python -m bench.site

screenshots: $(VENV)/.ready-dev
	$(BIN)/python -m tests.site.screenshots build/screenshots
	$(BIN)/python -m tests.cli.terminal_pictures build/terminal

docs: $(VENV)/.ready-dev
	$(BIN)/zensical build --clean --strict

clean:
	rm -rf $(VENV) .venv-lowest build dist .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
