# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint slow conformance-5

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[test,dev,heads]"
	touch $@

$(VENV)/installed-with-5: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[test]" "transformers>=5"
	touch $@

demo: $(VENV)/installed
	$(BIN)/tfnlp demo

test: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

# In three parts: a process that makes hundreds of graphs keeps some gigabytes.
slow: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile tests/checkpoints tests/conformance tests/networks
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile tests/generation tests/pipelines tests/test_*.py
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile tests/data tests/tasks tests/tokenization tests/training

# In an environment of its own (`VENV=.venv-5`): the families of our networks with transformers 5, which has no heads.
conformance-5: $(VENV)/installed-with-5
	$(BIN)/python -m pytest tests/conformance -m "slow or not slow" -n 2 -W ignore

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy tfnlp
