# `make certify` and `make test` set up everything they need in .venv/.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
JOBS ?= 2

# Pins what is installed, in pip's own build environments too.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: certify test test-slow bench lint docs notebooks findings browser postgresql clean help

help:
	@echo "make certify    certify, train, unlearn, verify, compare and draw, into out/"
	@echo "make test       the tests that CI runs"
	@echo "make test-slow  those that take longer"
	@echo "make bench      the benchmarks, as ratios measured in one run"
	@echo "make docs       write THEOREMS.md, pages of docs/ and certify/checker.py from the code"
	@echo "make notebooks  execute notebooks/ in place"
	@echo "make findings   run what findings/ says about public packages, each in an environment of its own"
	@echo "make lint       ruff, and mypy with the errors that are known"
	@echo "make browser    Chromium from the system's packages, for the tests of the HTML report (needs root)"
	@echo "make postgresql PostgreSQL from the system's packages, for the tests of the ledger (needs root)"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Plumbline needs Python 3.11 or later; this is " + sys.version.split()[0] + ". Say which: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[learn,postgres,report,dev]'
	@touch $@

certify: $(READY)
	$(BIN)/python examples/walkthrough.py --output out

# The fast core first, the learners after it.
test: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow and not learn"
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow and learn"

test-slow: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) -m slow

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

# The number of type errors may only shrink: .mypy-errors says how many there are.
lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pip install --quiet mypy
	@found=$$($(BIN)/mypy accountant certify learners lazy_names.py plumbline.py | grep -c ': error:'); known=$$(cat .mypy-errors); \
	echo "mypy: $$found errors, $$known known"; \
	[ $$found -le $$known ] || { echo "new type errors; $(BIN)/mypy accountant certify learners lazy_names.py plumbline.py shows them"; exit 1; }; \
	[ $$found -eq $$known ] || { echo "fewer than before: write $$found into .mypy-errors"; exit 1; }

docs: $(READY)
	$(BIN)/python docs/generate.py

notebooks: $(READY)
	$(BIN)/python notebooks/run.py

# Each script installs pinned public packages in a temporary folder and fails if what it describes has changed.
findings:
	@failed=; for script in findings/*.sh; do echo "== $$script"; PYTHON=$(PYTHON) bash $$script || failed="$$failed $$script"; done; \
	[ -z "$$failed" ] || { echo "changed:$$failed"; exit 1; }

browser:
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; }

postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >/dev/null; }

clean:
	rm -rf .venv out build *.egg-info
