# Two commands: `make leaderboard` and `make test`. Each sets up .venv from nothing.
PYTHON ?= python3
BIN := .venv/bin
# One thread a process: several processes with several threads each run slower than with one.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
WORKERS ?= 2

.PHONY: help leaderboard test tests test-lmms test-lmms-newest test-ray test-trackers lint install clean

help:
	@echo "make leaderboard   run the mini pack's suites and write leaderboard/index.html"
	@echo "make test          lint and all tests, one beside the other"
	@echo "make test-lmms     the tests that need lmms-eval, in .venv-lmms"
	@echo "make test-lmms-newest   the same with the newest lmms-eval that pip gives"
	@echo "make test-ray      the tests that need Ray, in .venv-ray"
	@echo "make test-trackers the tests that need trackio, wandb and MLflow, in .venv-trackers"
	@echo "make lint          ruff (format and lint), mypy, and the arrow contract"
	@echo "make clean         remove what the other targets made"

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip

.venv/.installed: pyproject.toml .venv/pyvenv.cfg
	$(BIN)/pip install --quiet --editable .
	@touch $@

.venv/.installed-test: pyproject.toml .venv/pyvenv.cfg
	$(BIN)/pip install --quiet --editable '.[test]'
	@touch $@ .venv/.installed

install: .venv/.installed

leaderboard: .venv/.installed
	$(BIN)/frostbench run out=runs/mini
	$(BIN)/frostbench leaderboard runs/mini out=leaderboard
	@echo "Open leaderboard/index.html in a browser."

lint: .venv/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy plugins v2l baselines eval_suites bench packs
	$(BIN)/lint-imports

# Most of lint takes one core, so it runs beside the tests; what fails waits for the other to end.
test: .venv/.installed-test
	@$(MAKE) --no-print-directory -j2 lint tests

tests: .venv/.installed-test
	$(TEST_ENV) $(BIN)/pytest -q -n $(WORKERS)

# lmms-eval brings some eighty packages: an environment of its own, and tests that nobody else needs.
.venv-lmms/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-lmms
	.venv-lmms/bin/pip install --quiet --upgrade pip
	.venv-lmms/bin/pip install --quiet --editable '.[test,lmms]'
	@touch $@

test-lmms: .venv-lmms/.installed
	$(TEST_ENV) .venv-lmms/bin/pytest -q -m lmms tests/lmms

# Whether the newest lmms-eval that pip gives still fits: for a nightly run.
test-lmms-newest: .venv-lmms/.installed
	.venv-lmms/bin/pip install --quiet --upgrade lmms-eval
	@$(MAKE) --no-print-directory test-lmms

# Ray is an extra: its tests start clusters, in an environment of their own.
.venv-ray/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/pip install --quiet --upgrade pip
	.venv-ray/bin/pip install --quiet --editable '.[test,ray]'
	@touch $@

test-ray: .venv-ray/.installed
	$(TEST_ENV) .venv-ray/bin/pytest -q -m ray tests/ray

# Trackio wants an older pillow than the rest, and MLflow brings some sixty packages.
.venv-trackers/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-trackers
	.venv-trackers/bin/pip install --quiet --upgrade pip
	.venv-trackers/bin/pip install --quiet --editable '.[test,trackio,wandb,mlflow]'
	@touch $@

test-trackers: .venv-trackers/.installed
	$(TEST_ENV) .venv-trackers/bin/pytest -q -m trackers tests/trackers

clean:
	rm -rf .venv .venv-lmms .venv-ray .venv-trackers runs leaderboard scratch .mypy_cache .ruff_cache .pytest_cache .hypothesis
