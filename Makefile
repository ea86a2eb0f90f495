# Everything below needs Python 3.11 or 3.12 and a package index; it makes its own virtual environments.

.DEFAULT_GOAL := help
.PHONY: help demo test test-newest parity docs clean

# PYTHON=/path/to/python3.12 chooses another.
PYTHON ?= $(shell for name in python3.11 python3.12 python3 python; do \
	$$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$name && break; done)
# Arguments of pytest: make test PYTEST_ARGS="tests/heads -x"
PYTEST_ARGS ?=
# A file of tests stays in one process, because its tests share models that take long to build. By itself xdist leaves the
# files with the fewest tests to the end, which are the longest here; tests/conftest.py orders them.
TWO_PROCESSES = -n 2 --dist loadfile --no-loadscope-reorder
# PyTorch without CUDA. Where the package index has no CPU builds, name PyTorch's own in PIP_EXTRA_INDEX_URL.
TORCH ?= torch==2.13.0+cpu

export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK = 1

help:
	@echo "make demo         recognise a bundled recording, export the model, recognise it again from the file"
	@echo "make test         the whole suite on the reference environment (constraints.txt)"
	@echo "make test-newest  the whole suite on the newest TensorFlow (constraints-newest.txt)"
	@echo "make parity       the tests against PyTorch"
	@echo "make docs         the reference of the Python API, from the docstrings: build/reference/index.html"
	@echo "make clean        remove the virtual environments and what was built"

demo: .venv/demo.stamp
	@.venv/bin/python examples/demo.py

test: .venv/dev.stamp
	.venv/bin/python -m pytest $(TWO_PROCESSES) $(PYTEST_ARGS)

test-newest: .venv-newest/dev.stamp
	.venv-newest/bin/python -m pytest $(TWO_PROCESSES) $(PYTEST_ARGS)

parity: .venv/parity.stamp
	.venv/bin/python -m pytest -m parity $(PYTEST_ARGS)

docs: .venv/docs.stamp
	.venv/bin/python -m tools.reference build/reference

clean:
	rm -rf .venv .venv-newest build dist *.egg-info

# $(call install,ENVIRONMENT,CONSTRAINTS,WHAT): all in one resolution, because packages installed one after another replace
# each other's versions.
define install
	@test -n "$(PYTHON)" || { echo "make: speechzoo needs Python 3.11 or 3.12, and found neither; install one, or name it:" \
	    "make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 2; }
	@test -x $(1)/bin/python || $(PYTHON) -m venv $(1) || { rm -rf $(1); echo "make: $(PYTHON) can't make a virtual" \
	    "environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "Installing into $(1); the first time this downloads some 900 MB and takes minutes."
	@$(1)/bin/python -m pip install --quiet -c $(2) $(3)
	@touch $@
endef

.venv/demo.stamp: setup.cfg constraints.txt Makefile
	$(call install,.venv,constraints.txt,-e '.[dictation]')

.venv/dev.stamp: setup.cfg constraints.txt Makefile
	$(call install,.venv,constraints.txt,-e '.[dev]')
	@touch .venv/demo.stamp

.venv/docs.stamp: setup.cfg constraints.txt Makefile
	$(call install,.venv,constraints.txt,-e '.[docs$(,)wyoming$(,)server]')

.venv/parity.stamp: setup.cfg constraints.txt Makefile
	$(call install,.venv,constraints.txt,-e '.[dev$(,)parity]' '$(TORCH)')
	@touch .venv/demo.stamp .venv/dev.stamp

.venv-newest/dev.stamp: setup.cfg constraints-newest.txt Makefile
	$(call install,.venv-newest,constraints-newest.txt,-e '.[dev]')

# A comma inside of a function's argument.
, := ,
