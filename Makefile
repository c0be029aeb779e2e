# Two commands matter: `make run` and `make test`. Everything they need goes into virtual environments in this folder.

SHELL := /bin/sh
.SHELLFLAGS := -ec
.DEFAULT_GOAL := help

# The first Python on the PATH that is one of those supported; override with PYTHON=...
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: help run test lint types unit torch fidelity bench screenshots browser format clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/ - /'

# One rule for the three environments: .venv runs the app, .venv-test tests it, .venv-torch tests what needs PyTorch.
define environment
$(1)/.ready: $(2)
	@test -n "$(PYTHON)" || { echo "augviz needs Python 3.11, 3.12 or 3.13 on the PATH (or PYTHON=...)." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(1)
	$(1)/bin/python $(PIP) $(addprefix -r ,$(lastword $(2)))
	@touch $$@
endef
$(eval $(call environment,.venv,requirements.txt))
$(eval $(call environment,.venv-test,requirements.txt requirements-test.txt))
$(eval $(call environment,.venv-torch,requirements.txt requirements-test.txt requirements-torch.txt))

# The system's libvips in place of the wheel's, for its OpenSlide, JPEG 2000 and JPEG XL loaders.
.venv-system/.ready: requirements.txt
	@test -n "$(PYTHON)" || { echo "augviz needs Python 3.11, 3.12 or 3.13 on the PATH (or PYTHON=...)." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv-system
	grep -v '^pyvips-binary' requirements.txt > .venv-system/requirements.txt
	.venv-system/bin/python $(PIP) -r .venv-system/requirements.txt
	@.venv-system/bin/python -c 'import pyvips, sys; sys.exit(not pyvips.at_least_libvips(8, 16))' 2>/dev/null || \
		{ echo "LIBVIPS=system needs the system's libvips, 8.16 or newer (Debian 13: apt-get install libvips42t64)." >&2; exit 1; }
	@touch $@

RUN := $(if $(filter system,$(LIBVIPS)),.venv-system,.venv)

run: $(RUN)/.ready ## Serve the app on http://localhost:8501 (STREAMLIT_* and AUGVIZ_* apply; LIBVIPS=system: see the README)
	exec $(RUN)/bin/streamlit run app.py

test: lint types torch unit ## Lint, types, and every test: unit, property, app, browser, with and without PyTorch

lint: .venv-test/.ready ## Style
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .

types: .venv-test/.ready ## Types
	.venv-test/bin/mypy

browser: .venv-test/.ready # A Chromium for the browser tests, from wherever there is one
	.venv-test/bin/python -m tests.chromium

torch: .venv-torch/.ready ## The tests that need real PyTorch
	.venv-torch/bin/python -m pytest -m torch

unit: .venv-test/.ready browser ## All other tests
	.venv-test/bin/python -m pytest -m "not torch"

fidelity: .venv-test/.ready ## Measure how true previews are, as a table in decibels
	.venv-test/bin/python -m bench.fidelity

bench: .venv-test/.ready browser ## Measure how fast previews are and what memory they take
	.venv-test/bin/python -m bench.latency

screenshots: .venv-test/.ready browser ## Take the README's pictures from the real app
	.venv-test/bin/python -m bench.screenshots

format: .venv-test/.ready ## Format the code
	.venv-test/bin/ruff check --fix .
	.venv-test/bin/ruff format .

clean: ## Remove the virtual environments and caches
	rm -rf .venv .venv-system .venv-test .venv-torch .pytest_cache .mypy_cache .ruff_cache .hypothesis
