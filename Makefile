# The commands of the project; each one makes .venv first where it is not there.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
OUT ?= out
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: match test test-slow test-all kills lint bench book sample
.DEFAULT_GOAL := match

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

match: $(VENV)/.installed  ## match the shipped sample extract and say where the list is
	$(BIN)/zm001 match sample_data/native --out $(OUT)

test: $(VENV)/.installed  ## the tests, without the slow ones
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/.installed  ## the slow tests alone
	$(BIN)/python -m pytest -m slow

test-all: test test-slow  ## every test

kills: $(VENV)/.installed  ## kill -9 at 25 moments of a run on 2,000 patients
	ZM001_KILLS=25 ZM001_KILL_PATIENTS=2000 $(BIN)/python -m pytest -s -m slow tests/test_kills.py

lint: $(VENV)/.installed  ## ruff, mypy, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 transforms rules data_contracts

bench: $(VENV)/.installed  ## match against a scan of the same files, in one run
	$(BIN)/python -m bench.bench

book: $(VENV)/.installed  ## print the criteria book and the generated documents
	$(BIN)/python -m rules.book

sample: $(VENV)/.installed  ## write the shipped sample extract anew
	$(BIN)/python -m sample_data.make_sample
