# Every target bootstraps what it needs on a machine that has only Python 3.11+ and make.
PYTHON ?= python3
UV := .tools/bin/uv
RUN := .venv/bin

.PHONY: run test cover check bench setup format sim docs
.DEFAULT_GOAL := test

setup: .venv/.ready

$(UV):
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check 'uv==0.13.*'

.venv/.ready: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

run: setup
	$(RUN)/batuta server local

check: setup
	@$(RUN)/python tests/architecture/run_checks.py

test: check cover
	$(RUN)/python -m pytest -n 2 --ignore=tests/unit/engine

# Every branch of the engine is taken by the tests that need nothing but the engine.
cover: setup
	$(RUN)/python -m pytest -q -n 2 -m "not slow" tests/unit/engine tests/core \
		--cov=batuta.engine --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

bench: setup
	$(RUN)/python -m bench

sim: setup
	$(RUN)/python -m batuta.testing simulate --seeds $(or $(SEEDS),10000)

docs: setup
	$(RUN)/python -m batuta.testing reference docs/reference

format: setup
	$(RUN)/ruff format src tests bench
	$(RUN)/ruff check --fix src tests bench
