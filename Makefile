PYTHON ?= python3.11
BIN = .venv/bin
TEST_OPTIONS = --numprocesses logical --maxprocesses 4 --dist loadfile --max-worker-restart 0

.PHONY: demo review test torture install clean

demo: .venv/installed ## the whole loop on images made on the spot
	$(BIN)/tagger demo --out demo

review: .venv/installed ## open the app on what the demo made
	@test -f demo/retrained/metrics.json || { echo "Nothing to review yet. First: make demo"; exit 2; }
	$(BIN)/tagger review --run demo/retrained

test: .venv/tested ## the whole check: style, types, doctests, tests; 10 minutes on two quiet cores (docs/testing.md)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(TEST_OPTIONS) --time-by-file 12

torture: .venv/tested ## the long tests of faults: killed at random moments, mutilated files; at most 20 minutes
	$(BIN)/python tests/faults/torture.py

install: .venv/installed

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@

clean: ## remove the environment and what the demo made; files of yours in them stay
	@if test -x $(BIN)/python; then $(BIN)/python -m data_tools.demo_folder demo; fi
	@for name in PKG-INFO SOURCES.txt dependency_links.txt entry_points.txt requires.txt top_level.txt; \
	  do rm -f retagger.egg-info/$$name; done
	@rmdir retagger.egg-info 2>/dev/null || true
	@if test -f .venv/installed; then cd .venv && rm -rf bin etc include lib lib64 share && \
	  rm -f pyvenv.cfg .gitignore installed tested; fi
	@rmdir .venv 2>/dev/null || true
