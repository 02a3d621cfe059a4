# make study   set up and run the main job on an embedded data set
# make test    set up and pass the tests
# make check   everything that CI checks
# make nightly  the tests, with the longer searches too: more cases of what every run tries in fewer
# make sanitize  the native tests on kernels that abort at any read out of bounds or undefined behaviour
# make bench   time every mapping beside its peers, into benchmarks/results/ and docs/benchmarks.md
# make suites  run the peers' own tests and samples on lastlayer
# make docs    refresh what README and docs/ render from the records, and build the documentation site into build/site;
#              the screenshots docs/images/explore*.png are made by docs/screenshots.py, where there is a Chromium
# make site    only build the site, with warnings as errors, and check its links

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is compiled: a change there needs another installation.
NATIVE := CMakeLists.txt $(shell find src/lastlayer/kernels/native -name CMakeLists.txt -o -name "*.?pp")
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: study test check nightly smoke sanitize bench suites docs site clean

study: $(VENV)/.study
	$(BIN)/lastlayer study digits --jobs -1

# Two processes, each with whole files: oracles are remembered within a file.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.test
	$(PYTEST)

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/clang-format --dry-run -Werror $$(git ls-files '*.hpp' '*.cpp')
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/render.py --check
	$(MAKE) site
	$(MAKE) test
	$(MAKE) smoke
	$(MAKE) sanitize

nightly: $(VENV)/.test
	LASTLAYER_NIGHTLY=1 LASTLAYER_FUZZ_TRIALS=60 LASTLAYER_FUZZ_CALLS=3000 $(PYTEST)

# The installed commands from data to page.
smoke: $(VENV)/.test
	rm -rf build/smoke
	$(BIN)/lastlayer study iris --folds 3 --repeats 1 --out build/smoke
	test -s build/smoke/iris/report.html
	$(BIN)/python -c "import numpy as np; r = np.random.default_rng(0); x = r.normal(size=(500, 3)); \
	  np.savez('build/smoke/scores.npz', scores=2 * x, labels=(x + r.gumbel(size=x.shape)).argmax(axis=1))"
	$(BIN)/lastlayer evaluate build/smoke/scores.npz --out build/smoke/evaluation
	test -s build/smoke/evaluation/report.html -a -s build/smoke/evaluation/calibrator.json

sanitize: build/sanitize/.built
	.ci/sanitize

# The copy that it installs has the package's Python files too.
build/sanitize/.built: pyproject.toml $(NATIVE) $(shell find src/lastlayer -name '*.py') | $(VENV)/.test
	rm -rf build/sanitize
	$(PIP) install --quiet --no-deps --target build/sanitize --config-settings=build-dir=build/sanitize-objects \
	  --config-settings=cmake.build-type=Debug --config-settings=cmake.define.LASTLAYER_SANITIZE=ON .
	@touch $@

bench: $(VENV)/.bench
	$(BIN)/lastlayer bench --out benchmarks/results/cpu.json
	$(BIN)/python docs/render.py

suites: $(VENV)/.bench
	$(PIP) install --quiet optax expecttest
	$(BIN)/python benchmarks/suites/run.py

docs: $(VENV)/.test
	$(BIN)/python docs/render.py
	$(BIN)/python docs/figures
	@echo 'Has the page of lastlayer explore changed? Its screenshots are made by: $(BIN)/python docs/screenshots.py'
	$(MAKE) site

# Without the network: no inventories of other projects are fetched.
site: $(VENV)/.test
	rm -rf build/site docs/gallery docs/reference/mappings
	$(BIN)/python -m sphinx -W --keep-going --quiet --fresh-env -b html -d build/site-doctrees docs build/site
	$(BIN)/python docs/links.py build/site

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "lastlayer needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.study: pyproject.toml $(NATIVE) | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[study]"
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt $(NATIVE) | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[study,torch,checks,dev,docs]"
	@touch $@ $(VENV)/.study

# What `make test` installs, and the peers.
$(VENV)/.bench: pyproject.toml constraints.txt $(NATIVE) | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[study,torch,checks,dev,docs,bench]"
	@touch $@ $(VENV)/.test $(VENV)/.study

clean:
	rm -rf $(VENV) build docs/gallery docs/reference/mappings
