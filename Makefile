# Needs only Python (>= 3.11) and make. Every target sets up what it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FULL   := .venv-full
PIP    := --quiet --disable-pip-version-check -c constraints.txt
ARGS   ?=

.PHONY: setup demo test test-slow bench lint peers clean

setup: $(VENV)/.ready

# The pinned torch goes in first: once it is there, no other package's wider range pulls in another build.
$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (a minute or two, once) …" >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Truescope needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install $(PIP) torch
	@$(BIN)/python -m pip install $(PIP) -e ".[dev]"
	@touch $@

$(FULL)/.ready: pyproject.toml constraints.txt
	@test -x $(FULL)/bin/python || $(PYTHON) -m venv $(FULL)
	@$(FULL)/bin/python -m pip install $(PIP) torch
	@$(FULL)/bin/python -m pip install $(PIP) -e ".[dev,all]"
	@touch $@

# make demo ARGS="--json"
demo: setup
	@$(BIN)/truescope demo $(ARGS)

# Two workers, one torch thread each (tests/conftest.py).
test: setup
	$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

test-slow: $(FULL)/.ready
	$(FULL)/bin/python -m pytest -n 2 -m slow $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

bench: setup
	@for script in benchmarks/[a-z]*.py; do case $$script in benchmarks/machine.py|*_peer.py) ;; *) echo "== $$script"; $(BIN)/python $$script $(ARGS) || exit 1;; esac; done

# Each peer in an environment of its own; benchmarks find them through TRUESCOPE_PEERS.
peers:
	@bash benchmarks/make_peers.sh $(or $(TRUESCOPE_PEERS),.peers)

clean:
	rm -rf $(VENV) $(FULL)
