# make demo   set everything up and run the whole path once
# make test   set everything up and pass the tests
# make stack  the server side of a city on this machine; make test-stack drills it
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check bench lock clean stack test-stack
.DEFAULT_GOAL := demo

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "The venv module is missing. On Debian: apt install python3-venv"; rm -rf .venv; exit 2; }
	@echo "Installing into .venv (a few minutes the first time) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: .venv/ready
	@$(BIN)/python demo/run.py

test: .venv/ready
	@$(BIN)/python -m pytest

check: .venv/ready
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: .venv/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@$(BIN)/python -m benchmarks

lock: .venv/ready
	@$(BIN)/python -m pip install --quiet 'uv>=0.5'
	@$(BIN)/uv pip compile --quiet --universal --no-header --extra bench --python-version 3.11 --output-file constraints.txt pyproject.toml

stack: .venv/ready
	@$(BIN)/python -m stack

test-stack: .venv/ready
	@$(BIN)/python -m pytest tests/stack -p no:cacheprovider -s

clean:
	@rm -rf .venv build *.egg-info demo/out
