# Everything that a person or a machine does with this project. `make help` lists it.
# Only Python (3.11 or newer), git and make are needed: the rest is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Pinned where we develop and test, so that everybody has the same (on machines without a GPU the small CPU build).
TORCH ?= torch==2.13.0
# Arguments for the app or the tests: make run ARGS="--home /data/dbtui", make test ARGS="tests/config"
ARGS ?=

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo demo-model screenshot screenshots guide run install install-dev test test-slow lint types contracts format clean learn

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install  ## Install what is missing and watch a small model learn a new dog, in about a minute
	@$(BIN)/dbtui demo $(ARGS) || [ $$? -eq 3 ]

run: install  ## Install what is missing and open the app
	@$(BIN)/dbtui $(ARGS) || [ $$? -eq 3 ]

# A worker more than there are usually cores, each with one thread: many tests wait for a moment and compute nothing.
test test-slow: export OMP_NUM_THREADS = 1

test: install-dev lint types contracts  ## Install what is missing and run every check and the fast tests
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow and not gpu" $(ARGS)

test-slow: install-dev  ## Run the slow tests too
	$(BIN)/python -m pytest -n 2 -m "not gpu" $(ARGS)

learn: install-dev  ## Measure how well the embedded model learns, into docs/learning.md (half an hour on two cores)
	$(BIN)/python -m tests.learn $(ARGS)

screenshot: install-dev  ## Draw docs/demo.svg anew: the app itself, in the middle of the demo
	$(BIN)/python -m tests.whole.screenshot docs/demo.svg

screenshots: install-dev  ## Draw docs/screens anew: the whole way through the app, at two sizes
	$(BIN)/python -m tests.whole.screens docs/screens

guide: install-dev  ## Write the pages of docs/guide that are made from the program
	DBTUI_LANGUAGE=en $(BIN)/python -m tests.guide

demo-model: install-dev  ## Make the demo's model anew into .demo (minutes on a GPU, days on a CPU; needs npm)
	$(BIN)/python -m core.demo.recipe all $(ARGS)

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

contracts: install-dev
	$(BIN)/lint-imports

format: install-dev  ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/.installed  ## Make the virtual environment and install the app

install-dev: $(VENV)/.installed-dev  ## The same with the tools for development

clean:  ## Remove the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("dbtui needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

# The stamps are newer than pyproject.toml once everything that it asks for is installed: a second call is quick.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV): PyTorch and its companions take some minutes the first time."
	$(PIP) "$(TORCH)"
	$(PIP) --editable .
	@echo "Installed. To have the command dbtui in this terminal: source $(BIN)/activate"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.installed
	$(PIP) --editable ".[dev]"
	@touch $@
