# Everything runs in .venv, which is made when it is missing or older than its inputs.
#   make study NAME=depth_sweep
#   make study NAME=depth_sweep DATASET=mushrooms ARGS="--set max_epochs=5"

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11,$(shell $(name) -c 'import ensurepip; print("$(name)")' 2>/dev/null)))
NAME ?=
DATASET ?=
STORAGE ?= $(or $(GMM_STUDY_STORAGE),results)
ADDRESS ?=
ARGS ?=

VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
LOCKS := requirements.lock requirements-dev.lock
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command 'make lock' --constraint constraints.txt \
	--no-emit-package torch $(ARGS) pyproject.toml --output-file
WITHOUT_THOSE = $$(sed -n 's/^\([a-z0-9-]*\)==[^;]*$$/--no-emit-package \1/p' requirements.lock)
PYTEST := $(BIN)/python -m pytest --numprocesses 2
GMM_STUDY := $(BIN)/gmm-study
STUDY_ARGS = $(NAME) --storage '$(STORAGE)' $(if $(DATASET),--dataset '$(DATASET)') $(ARGS)
NEEDS_NAME = $(if $(NAME),,$(error NAME is missing: make $@ NAME=depth_sweep; studies: $(basename $(notdir $(wildcard studies/*.yaml)))))

.DEFAULT_GOAL := help
.PHONY: help setup lock study plan status report tables reproduction records restore ui docs docs-site test test-unit test-slow test-docs test-faults lint bench bench-smoke clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  with     NAME=depth_sweep  DATASET=mushrooms  STORAGE=results  ADDRESS=auto  ARGS="--set max_epochs=5"'

setup: $(STAMP) ## Install everything into .venv

$(STAMP): pyproject.toml constraints.txt $(LOCKS)
	@test -n '$(PYTHON)' || { echo "Python 3.11, 3.12 or 3.13 is needed; name it with PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --no-deps $(LOCKS:%=--requirement %)
	$(PIP) install --constraint constraints.txt torch
	$(PIP) install --no-deps --no-build-isolation --editable .
	$(PIP) check
	$(BIN)/python -c 'from gmm_study.models import fused; fused.compile_all()'
	@touch $@

lock: ## Write the versions and hashes that setup installs: ARGS=--upgrade
	$(LOCK) requirements.lock
	$(LOCK) requirements-dev.lock --all-extras --constraint requirements.lock $(WITHOUT_THOSE)

study: $(STAMP) ## Train the missing trials of a study, then report: NAME=...
	@$(NEEDS_NAME)$(GMM_STUDY) run $(STUDY_ARGS) $(if $(ADDRESS),--address '$(ADDRESS)')

plan: $(STAMP) ## Show what a study would train: NAME=...
	@$(NEEDS_NAME)$(GMM_STUDY) plan $(STUDY_ARGS)

status: $(STAMP) ## Count a study's trials by state: NAME=...
	@$(NEEDS_NAME)$(GMM_STUDY) status $(STUDY_ARGS)

report: $(STAMP) ## Write a study's tables and figure again: NAME=...
	@$(NEEDS_NAME)$(GMM_STUDY) report $(STUDY_ARGS)

tables: $(STAMP) ## Write the reports of all studies that have records, yours or shipped ones
	@$(GMM_STUDY) tables --storage '$(STORAGE)'

reproduction: $(STAMP) ## Write docs/reproduction.md, our figures beside the published ones
	@$(GMM_STUDY) reproduction --storage '$(STORAGE)' $(ARGS)

records: $(STAMP) ## Copy a study's finished records into analysis/records, to be shipped: NAME=...
	@$(NEEDS_NAME)$(BIN)/python -m analysis.ship $(NAME) --storage '$(STORAGE)'

restore: $(STAMP) ## Copy a study's shipped records into your storage, to continue it there: NAME=...
	@$(NEEDS_NAME)$(BIN)/python -m analysis.restore $(NAME) --storage '$(STORAGE)'

ui: $(STAMP) ## Serve the MLflow UI on 127.0.0.1
	@$(GMM_STUDY) ui $(ARGS)

docs: $(STAMP) ## Generate the pages of docs/reference from the code
	@$(BIN)/python -m docs.generate

docs-site: $(STAMP) ## Build the documentation into site/, and check its links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

test-unit: $(STAMP) ## Run the tests that need no process, database or figure, in a minute
	$(PYTEST) --dist loadfile --quick $(ARGS)

test: $(STAMP) ## Run the tests that every change must pass
	$(PYTEST) --dist loadfile -m 'not fault and not page and not slow' $(ARGS)

test-slow: $(STAMP) ## Run the long statistical tests
	$(PYTEST) -m slow $(ARGS)

test-docs: $(STAMP) ## Run every command in the documentation: ARGS="--short -k tutorial"
	$(PYTEST) tests/readers $(ARGS)

test-faults: $(STAMP) ## Cause every kind of fault and print what was lost; ARGS=--short for each once
	$(PYTEST) --dist loadfile tests/faults tests/cluster $(ARGS)

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## Measure speed and memory against their targets, into reports/bench: ARGS="--only step"
	@$(BIN)/python -m bench $(ARGS)

bench-smoke: $(STAMP) ## Measure one small case of every part, in under a minute
	@$(BIN)/python -m bench --smoke $(ARGS)

clean: ## Remove the environment and caches; records, reports and MLflow's runs stay
	rm -rf $(VENV) build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache
