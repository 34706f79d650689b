# One command table; `make help` prints it. Everything happens in .venv, nothing outside of this folder changes
# (except by `make setup-system`).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
# what decides what must be installed; a kernelspec is copied into the environment when we install
SOURCES := pyproject.toml $(wildcard kernels/local/*)
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check
# extra arguments: make test ARGS="-k autoscaler", make bench ARGS="--rounds 1"
ARGS ?=

.PHONY: help
help: ## list the commands
	@echo "modal_nb: make COMMAND"
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | \
	  while IFS='|' read -r name text; do printf "%-20s %s\n" "$$name" "$$text"; done

$(VENV)/.made: scripts/make_venv
	@echo "Making $(VENV) ..."
	@scripts/make_venv $(VENV) $(PYTHON)
	@$(BIN)/python $(PIP_INSTALL) --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.made $(SOURCES)
	@echo "Installing modal_nb and what the notebooks need (the first time takes a minute or two) ..."
	@$(BIN)/python $(PIP_INSTALL) --editable . --group notebooks
	@touch $@

$(VENV)/.test: $(VENV)/.made $(SOURCES)
	@echo "Installing modal_nb and what the tests need (the first time takes a minute or two) ..."
	@$(BIN)/python $(PIP_INSTALL) --editable . --group test --group lint
	@touch $@ $(VENV)/.demo

$(VENV)/.system: $(VENV)/.test
	@$(BIN)/python $(PIP_INSTALL) --group system
	@touch $@

$(BENCH)/.made: scripts/make_venv $(SOURCES)
	@echo "Making $(BENCH) ..."
	@scripts/make_venv $(BENCH) $(PYTHON)
	@$(BENCH)/bin/python $(PIP_INSTALL) --upgrade 'pip>=25.1'
	@$(BENCH)/bin/python $(PIP_INSTALL) --editable . --group bench
	@touch $@

.PHONY: demo
demo: $(VENV)/.demo ## execute the first notebook and say what it found (set-up included)
	@$(BIN)/python notebooks/demo.py

.PHONY: test
test: $(VENV)/.test ## all tests that this machine can run (set-up included)
	@echo "Left out of 'make test': the notebooks in a real browser ('make test-system', after 'make setup-system')."
	@echo "Left out: other back ends than this machine's own processes, and GPUs: there is nothing of them yet."
	@home=$$(mktemp -d) && export MODAL_NB_HOME=$$home && \
	  $(BIN)/python -m pytest tests notebooks --nbval-lax --nbval-sanitize-with=tests/nbval_sanitize.cfg \
	  --nbval-cell-timeout=120 $(ARGS); code=$$?; $(BIN)/modal-nb stop >/dev/null; rm -rf $$home; exit $$code

labextension/node_modules/.made: labextension/package.json labextension/package-lock.json
	@npm --prefix labextension install --no-save --no-audit --no-fund --silent && touch $@

.PHONY: test-js
test-js: labextension/node_modules/.made ## the panel's front end in Vitest (needs Node and npm)
	@npm --prefix labextension test --silent

.PHONY: look
look: $(VENV)/.system ## pictures of the panel's states into out/look (needs Chromium)
	@$(BIN)/python labextension/look.py

.PHONY: test-system
test-system: $(VENV)/.system ## the notebooks and the panel in a real Chromium (needs `make setup-system` once)
	@$(BIN)/python -m pytest tests/system $(ARGS)

.PHONY: picture
picture: $(VENV)/.system ## the README's pictures, from a real front end (needs Chromium)
	@$(BIN)/python -m tests.system.picture
	@$(BIN)/python -m tests.system.picture_remote

.PHONY: panel-load
panel-load: $(VENV)/.system ## what a panel costs its page at 1,000 inputs/s (some 12 minutes; needs Chromium)
	@$(BIN)/python -m tests.system.panel_load $(ARGS)

.PHONY: chaos
chaos: $(VENV)/.test ## 10,000 inputs over 200 kills of containers and 20 of the supervisor (some minutes)
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: lint
lint: $(VENV)/.test ## ruff, mypy, import-linter and the other house rules
	@$(BIN)/python -m pytest -q tests/house $(ARGS)

.PHONY: format
format: $(VENV)/.test ## let ruff lay out the code and mend what it can
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

.PHONY: bench
bench: $(BENCH)/.made ## modal_nb beside Ray, loky and a plain kernel: table into benchmarks/RESULTS.md
	@$(BENCH)/bin/python -m benchmarks $(ARGS)

.PHONY: setup-system
setup-system: ## install Debian packages for `make test-system` (root; the only command that changes the system)
	@scripts/setup_system

.PHONY: clean
clean: ## remove the environments and everything that was made
	rm -rf $(VENV) $(BENCH) $(VENV)-boot $(BENCH)-boot out build dist .pytest_cache .mypy_cache .ruff_cache \
	  .hypothesis .import_linter_cache labextension/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
