# Everything a person types here. `make run` and `make test` are all that a new machine needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= auto

.PHONY: run test test-all lint format bench bench-pages bench-load clean help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run  ## serve the embedded example registry on port 8080
	$(BIN)/registry serve

test: $(VENV)/.dev  ## run the tests (a sample of the long ones)
	$(BIN)/pytest -n $(WORKERS) -m "not slow"

test-all: $(VENV)/.dev  ## run all tests: every revision, every kill
	$(BIN)/pytest -n $(WORKERS)

lint: $(VENV)/.dev  ## ruff, mypy, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-pages bench-load  ## measure; gates nothing

bench-pages: $(VENV)/.dev  ## measure the parts, in process
	$(BIN)/pytest tests/benchmarks --benchmark-only -p no:xdist -q

bench-load: $(VENV)/.dev  ## measure servers under load (needs wrk), syncs, memory
	$(BIN)/python -m tests.benchmarks.load

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint,fast]'
	@touch $@ $(VENV)/.run

clean:  ## remove what make made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
