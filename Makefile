# make demo    a trained model, its pictures and its scores on one page
# make test    the test suite
# make check   linter, types, import contracts, doctests

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Where pip finds PyTorch without CUDA, some gigabytes smaller. Used for the PyTorch step only, and only where there
# is no NVIDIA driver. For another CUDA: make TORCH_INDEX=https://download.pytorch.org/whl/cu126
TORCH_INDEX ?= $(if $(shell command -v nvidia-smi 2>/dev/null),,https://download.pytorch.org/whl/cpu)

# What tests compare our metrics with. It asks for torchvision, which does not import beside PyTorch without CUDA, and
# which the tests do without.
ORACLES := torch-fidelity

.PHONY: demo test check clean

demo: $(VENV)/.installed
	@$(BIN)/adversaria demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# PyTorch first and by itself, with one short try at its index: without a network to it, the ordinary one must do.
$(VENV)/.torch: constraints.txt
	@echo "installing into $(VENV) (once; some minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@{ test -n "$(TORCH_INDEX)" && \
	   $(PIP) --retries 0 --timeout 10 -c constraints.txt --extra-index-url $(TORCH_INDEX) torch 2>/dev/null; } \
	 || $(PIP) -c constraints.txt torch
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	@$(PIP) -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.torch pyproject.toml
	@$(PIP) -c constraints.txt -e '.[dev]'
	@$(PIP) -c constraints.txt --no-deps $(ORACLES)
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) runs .mypy_cache .pytest_cache .ruff_cache
