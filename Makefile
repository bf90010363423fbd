# `make help` tells what there is. Everything runs in .venv; nothing outside this folder is touched but Debian packages.
PYTHON ?= python3
PYTEST ?= .venv/bin/pytest
# A worker per core takes a file at a time, in the order in which they are collected: what takes longest goes first.
WORKERS ?= auto
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
ORDERS ?= 5000
SEEDS ?= 50
SIMULATED ?= 1000
PACKAGES := hub adapters canonical dlq
.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lock bench fuzz soak docs wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready ## make .venv with the hub command (PYTHON=python3.12 chooses the Python)

.venv/.ready: requirements.lock pyproject.toml scripts/setup
	@PYTHON="$(PYTHON)" scripts/setup
	@touch $@

demo: setup ## run the main job against imitated platforms, and see that nothing is lost
	.venv/bin/hub demo

test: setup ## run every test (installs PostgreSQL from Debian's packages if it is missing)
	@scripts/postgresql
	@command -v curl > /dev/null && command -v openssl > /dev/null || scripts/debian-packages curl openssl
	@# Many tests start the command; where Python keeps no bytecode of its own, each start would compile everything.
	-@.venv/bin/python -m compileall -qq -j 0 .venv/lib hub adapters canonical dlq > /dev/null 2>&1
	$(PYTEST) $(SPREAD)

check: setup ## format, lint, strict types, import rules, and the quick tests
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PYTEST) $(SPREAD) -q -m "not slow" tests/unit tests/architecture

format: setup ## bring the code into the project's format
	.venv/bin/ruff check --fix-only -q .
	.venv/bin/ruff format .

lock: setup ## write requirements.lock anew (UPGRADE=--upgrade also takes newer releases)
	.venv/bin/uv pip compile -q pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url \
	    --no-emit-find-links --no-header --no-annotate $(UPGRADE) -o requirements.lock

bench: setup ## measure the whole path beside a bare loop (ORDERS=5000)
	.venv/bin/hub bench flow --orders $(ORDERS)

fuzz: setup ## run the property tests with many more examples, and others each time
	$(PYTEST) $(SPREAD) -m "hypothesis or search" --hypothesis-profile=fuzz --timeout=1800

soak: setup ## play many seeds, simulated and real, every planted bug, a million orders; takes hours
	@scripts/postgresql
	.venv/bin/hub chaos --simulated --seeds $(SIMULATED)
	.venv/bin/hub chaos --simulated --seeds $(SIMULATED) --processes 3
	.venv/bin/python -m tests.simulation.mutants --all
	.venv/bin/hub chaos --seeds $(SEEDS) --store sqlite --at-once 4
	.venv/bin/hub chaos --seeds 20 --store postgresql --at-once 4
	.venv/bin/hub bench backlog --rows 1000000

docs: setup ## write the generated reference pages anew
	.venv/bin/hub docs

wheel: setup ## build dist/*.whl
	.venv/bin/hatchling build -t wheel

clean: ## remove .venv and everything that the tools left behind
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
