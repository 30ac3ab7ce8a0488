# Everything happens in the virtual environment .venv, which is made when it is first needed.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Where tests make their repositories: not inside this one, and nowhere but in the user's cache folder.
TEMPORARY := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/kuberian/tests
PYTEST := TMPDIR="$(TEMPORARY)" $(BIN)/python -m pytest

.PHONY: demo test test-avx2 test-long lint format clean image test-image

# Index this repository and ask it a question.
demo: $(VENV)/.installed
	$(BIN)/kuberian index . --home .demo
	@echo
	$(BIN)/kuberian search --home .demo -k 3 "where is a damaged database set aside"

test: $(VENV)/.test-installed
	@mkdir -p "$(TEMPORARY)"
	$(PYTEST) -n 2 --dist loadgroup -m "not long and not image"

# The encoder as on a CPU with AVX2 and no more, which most laptops have.
test-avx2: $(VENV)/.test-installed
	@mkdir -p "$(TEMPORARY)"
	OPENBLAS_CORETYPE=Haswell DNNL_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
		$(PYTEST) -n 2 --dist loadgroup -m "not long and not image" tests/encoder

# Crash and soak tests: half an hour.
test-long: $(VENV)/.test-installed
	@mkdir -p "$(TEMPORARY)"
	$(PYTEST) -m long

lint: $(VENV)/.lint-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile .devcontainer/Dockerfile; fi
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/kubernetes-validate --strict --quiet deploy/kubernetes.yaml

# The container image, kuberian:latest, with whatever builds images here.
image:
	scripts/build-image

# Build it, run it, and see that it does what docs/container.md says; needs root, buildah, debootstrap and bubblewrap.
test-image: $(VENV)/.test-installed
	VENV=$(VENV) scripts/test-image

format: $(VENV)/.lint-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .demo .cache build *.egg-info

$(VENV)/.installed: pyproject.toml
	@echo "installing into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[onednn]'
	@touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.lint-installed: $(VENV)/.installed
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[lint]'
	@touch $@
