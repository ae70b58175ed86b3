# The two commands that a fresh machine needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA := $(abspath ../shared/data)
# Real benchmark data; what uses it skips with a message where the folder is absent.
export QESTIM_DATA ?= $(if $(wildcard $(DATA)),$(DATA))
# A broken kernel must not hide behind the numpy fallback in a test or a measurement.
test test-all coverage bench bench-quick: export QESTIM_REQUIRE_NATIVE ?= 1

# Two workers with one thread each: torch's threads only get into each other's way.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

SOURCES := pyproject.toml constraints.txt CMakeLists.txt \
           $(wildcard qestim/_native/*.cpp qestim/_native/*.hpp)

.PHONY: demo examples test test-all test-slow test-fallback coverage pure-wheel sanitize lint check bench \
        bench-quick docs check-docs dist clean

$(VENV)/installed: $(SOURCES)
	@echo "Installing qestim into $(VENV) (a minute or two the first time) ..."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[test]"
	@touch $@

$(VENV)/benched: $(VENV)/installed
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[bench]"
	@touch $@

$(VENV)/documented: $(VENV)/installed
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e ".[docs]"
	@touch $@

demo: $(VENV)/installed
	$(BIN)/python examples/quickstart.py

test: $(VENV)/installed
	$(TEST)

test-all: $(VENV)/installed
	$(TEST) -m "slow or not slow"

test-slow: $(VENV)/installed
	$(TEST) -m slow

# The tests of the samplers once more on the kernels' numpy twins.
test-fallback: $(VENV)/installed
	QESTIM_REQUIRE_NATIVE=0 QESTIM_DISABLE_NATIVE=1 $(TEST) \
	    tests/_native tests/qubo tests/samplers tests/testing tests/test_common.py

# The lines and branches that the tests pass through; fails under 90 %.
coverage: $(VENV)/installed
	$(TEST) --cov

# Every picture of examples/, drawn without a screen.
examples: $(VENV)/installed
	for example in examples/plot_*.py; do \
	    echo $$example; \
	    OMP_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python $$example || exit 1; \
	done

# Where no compiler works, a wheel without the kernels must come out.
pure-wheel: $(VENV)/installed
	rm -rf build/pure
	CC=false CXX=false $(BIN)/pip wheel -q --no-deps --disable-pip-version-check \
	    -w build/pure .
	ls build/pure/qestim-*-py3-none-any.whl

# Sdist and wheel, each installed where no compiler is and run.
dist: $(VENV)/installed
	.ci/dist $(BIN)

# The kernels under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer, in
# build folders of their own: every source of qestim/_native, driven by the tests of the
# kernels and of the samplers (.ci/sanitize says which). Fails on any report. Another
# Python that has the test extra: make sanitize BIN=/path/to/bin.
sanitize: $(if $(filter $(VENV)/%,$(BIN)),$(VENV)/installed)
	.ci/sanitize $(BIN)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint test

# One script a capability. With --full, the default, it measures all of its sections, in
# hours; --quick is a minute.
BENCHMARKS := samplers league quantized attention diffusion selection boltzmann \
              autoencoder experiments single_cell hardware scale_out
measure = set -e; for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py $(1); done

# The sections that fit into seven minutes for each script, in their full size: 84 in all.
bench: $(VENV)/benched
	$(call measure,--minutes 7)

bench-quick: $(VENV)/benched
	$(call measure,--quick)

docs: $(VENV)/documented
	OMP_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python -m sphinx -W --keep-going -q docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

# Every built page in a headless browser (needs chromedriver and its browser).
check-docs: docs
	$(BIN)/python docs/check_site.py

clean:
	rm -rf $(VENV) build demo_output docs/_build docs/auto_examples docs/generated qestim/_native/*.so
