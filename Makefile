# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: demo test lint slow

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[test,dev]"
	touch $@

demo: $(VENV)/installed
	$(BIN)/tfnlp demo

test: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

slow: $(VENV)/installed-for-tests
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

lint: $(VENV)/installed-for-tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy tfnlp
