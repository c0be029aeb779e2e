# Two commands matter: `make run` and `make test`. Everything they need goes into virtual environments in this folder.

SHELL := /bin/sh
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

# The first Python on the PATH that is one of those supported; override with PYTHON=...
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: help run libvips test lint types unit torch system fidelity estimates bench audit load memory screenshots works browser format clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/ - /'

# One rule for all environments: the lines of the requirements in $(2), without those of $(3), go into $(1). .venv runs the
# app, .venv-test tests it, .venv-torch tests what needs PyTorch. The system's libvips is used where there is no wheel of it.
define environment
$(1)/.ready: $(2)
	@test -n "$(PYTHON)" || { echo "augviz needs Python 3.11, 3.12 or 3.13 on the PATH (or PYTHON=...)." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(1)
	grep -hvE '^-r$(addprefix |^,$(3))' $(2) > $(1)/requirements.txt
	$(1)/bin/python $(PIP) -r $(1)/requirements.txt
	@touch $$@
endef
$(eval $(call environment,.venv,requirements.txt))
$(eval $(call environment,.venv-test,requirements.txt requirements-dask.txt requirements-metrics.txt requirements-test.txt))
$(eval $(call environment,.venv-torch,requirements.txt requirements-test.txt requirements-torch.txt))
$(eval $(call environment,.venv-system,requirements.txt,pyvips-binary))
$(eval $(call environment,.venv-system-test,requirements.txt requirements-test.txt,pyvips-binary))

.venv-system/.ready: | libvips
libvips: # One sentence where the system has no libvips that is new enough
	@$(PYTHON) -m augviz.system_libvips

RUN := $(if $(filter system,$(LIBVIPS)),.venv-system,.venv)

run: $(RUN)/.ready ## Serve the app on http://localhost:8501 (STREAMLIT_* and AUGVIZ_* apply; LIBVIPS=system: see the README)
	exec $(RUN)/bin/streamlit run app.py

test: lint types torch system unit ## Lint, types, and every test: unit, property, app, browser, with and without PyTorch

lint: .venv-test/.ready ## Style
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .

types: .venv-test/.ready ## Types
	.venv-test/bin/mypy

browser: .venv-test/.ready # A Chromium for the browser tests, from wherever there is one
	.venv-test/bin/python -m tests.chromium

torch: .venv-torch/.ready ## The tests that need real PyTorch
	.venv-torch/bin/python -m pytest -m torch

system: ## The tests that need the system's libvips, 8.14 or newer; skipped where there is none
	@if ! $(PYTHON) -m augviz.system_libvips; then echo "So the tests that need it are skipped." >&2; else \
		$(MAKE) --no-print-directory .venv-system-test/.ready; .venv-system-test/bin/python -m pytest -m system; fi

unit: .venv-test/.ready browser ## All other tests
	.venv-test/bin/python -m pytest -m "not torch and not system"

fidelity: .venv-test/.ready ## Measure how true previews are, as a table in decibels
	.venv-test/bin/python -m bench.fidelity

estimates: .venv-test/.ready ## Measure how near estimates of time and memory at full size come
	.venv-test/bin/python -m bench.estimates

bench: .venv-test/.ready browser ## Measure how fast previews and tiles are, alone and beside a job, and what memory they take
	.venv-test/bin/python -m bench.latency
	.venv-test/bin/python -m bench.inspection
	.venv-test/bin/python -m bench.beside_a_job

audit: .venv-test/.ready ## Measure how long audits of 1000 to 10000 images take, and whether memory stays flat
	.venv-test/bin/python -m bench.audit

SESSIONS ?= 20
MINUTES ?= 10

load: .venv-test/.ready browser ## Load a server with SESSIONS=20 for MINUTES=10: edits, uploads, jobs, hostile files, crashes
	.venv-test/bin/python -m bench.load --sessions $(SESSIONS) --minutes $(MINUTES)

memory: .venv-torch/.ready ## Measure what DataLoaders take in memory, against what is computed
	.venv-torch/bin/python -m bench.memory

works: .venv-test/.ready ## Run every transform of the installed library, and write docs/what-works.md
	.venv-test/bin/python -m augviz.survey

screenshots: .venv-test/.ready browser ## Take the README's pictures from the real app
	.venv-test/bin/python -m bench.screenshots

format: .venv-test/.ready ## Format the code
	.venv-test/bin/ruff check --fix .
	.venv-test/bin/ruff format .

clean: ## Remove the virtual environments and caches
	rm -rf .venv .venv-system .venv-system-test .venv-test .venv-torch .pytest_cache .mypy_cache .ruff_cache .hypothesis
