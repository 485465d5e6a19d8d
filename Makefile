# Two commands: `make leaderboard` and `make test`. Each sets up .venv from nothing.
PYTHON ?= python3
BIN := .venv/bin
# One thread a process: several processes with several threads each run slower than with one.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
WORKERS ?= 2

.PHONY: help leaderboard test tests docs site test-lmms test-lmms-newest test-ray test-trackers lint install clean

help:
	@echo "make leaderboard   run the mini pack's suites and write leaderboard/index.html"
	@echo "make test          lint and all tests, one beside the other"
	@echo "make test-lmms     the tests that need lmms-eval, in .venv-lmms"
	@echo "make test-lmms-newest   the same with the newest lmms-eval that pip gives"
	@echo "make test-ray      the tests that need Ray, in .venv-ray"
	@echo "make test-trackers the tests that need trackio, wandb and MLflow, in .venv-trackers"
	@echo "make docs          the documentation as a site, every code block of it is run"
	@echo "make site          the same, without running code blocks"
	@echo "make lint          ruff (format and lint), mypy, and the arrow contract"
	@echo "make dist          build the wheel and the sdist into dist/, and check them"
	@echo "make test-wheel    try the wheel in a clean environment (PYTHON=python3.13 for another Python)"
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

.venv/.installed-docs: .venv/.installed-test
	$(BIN)/pip install --quiet --editable '.[test,docs]'
	@touch $@

install: .venv/.installed

leaderboard: .venv/.installed
	$(BIN)/frostbench run out=runs/mini
	$(BIN)/frostbench leaderboard runs/mini out=leaderboard
	@echo "Open leaderboard/index.html in a browser."

lint: .venv/.installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy plugins v2l baselines eval_suites bench packs docs_site
	$(BIN)/lint-imports

# Most of lint takes one core, so it runs beside the tests; what fails waits for the other to end.
test: .venv/.installed-test
	@$(MAKE) --no-print-directory -j2 lint tests

tests: .venv/.installed-test
	$(TEST_ENV) $(BIN)/pytest -q -n $(WORKERS)

# What brings many packages, or others than the rest, has an environment of its own, and tests that
# nobody else needs: lmms-eval some eighty packages, trackio an older pillow, MLflow some sixty; those
# of Ray start clusters.
EXTRAS_lmms := lmms
EXTRAS_ray := ray
EXTRAS_trackers := trackio,wandb,mlflow

.venv-%/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/pip install --quiet --upgrade pip
	.venv-$*/bin/pip install --quiet --editable '.[test,$(EXTRAS_$*)]'
	@touch $@

# The site in site/: a dead link, a public name without a docstring, or a code block that does not run
# ends it.
docs: site
	$(TEST_ENV) $(BIN)/pytest -q -n $(WORKERS) -m 'site or not site' tests/docs

site: .venv/.installed-docs
	$(BIN)/python -m docs_site site

test-lmms: .venv-lmms/.installed
	$(TEST_ENV) .venv-lmms/bin/pytest -q -m lmms tests/lmms

test-ray: .venv-ray/.installed
	$(TEST_ENV) .venv-ray/bin/pytest -q -m ray tests/ray

test-trackers: .venv-trackers/.installed
	$(TEST_ENV) .venv-trackers/bin/pytest -q -m trackers tests/trackers

# Whether the newest lmms-eval that pip gives still fits: for a nightly run.
test-lmms-newest: .venv-lmms/.installed
	.venv-lmms/bin/pip install --quiet --upgrade lmms-eval
	@$(MAKE) --no-print-directory test-lmms

.PHONY: dist test-wheel clean-dist

# Isolated: hatchling comes from pip, and the wheel is built from the sdist.
dist:
	rm -rf dist .venv-dist
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/pip install --quiet build twine
	.venv-dist/bin/python -m build --outdir dist .
	.venv-dist/bin/twine check --strict dist/*

# Outside of the checkout, so that nothing but the wheel can be imported.
test-wheel: dist
	rm -rf .venv-wheel
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/pip install --quiet dist/*.whl
	folder=$$(mktemp -d) && frostbench=$(CURDIR)/.venv-wheel/bin/frostbench && cd $$folder && \
	$$frostbench list packs && $$frostbench list presets && $$frostbench new-plugin mine && \
	$$frostbench run methods=v2l,vqgan tasks=inpainting limit=2 out=run quiet=true && \
	$$frostbench verify run samples=1 && $$frostbench leaderboard run out=board

clean-dist:
	rm -rf dist .venv-dist .venv-wheel

clean: clean-dist

clean:
	rm -rf .venv .venv-lmms .venv-ray .venv-trackers build site runs leaderboard scratch .mypy_cache .ruff_cache .pytest_cache .hypothesis
