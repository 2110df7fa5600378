# The entrance: every chore is one line here, and a script or a tool does it. `make help` lists them.
# Needed on the machine: GNU make and Python 3.11 or newer. Everything else is installed into .venv and .tools.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

ENVIRONMENT = $$(sh scripts/python.sh) scripts/environment.py
BIN := .venv/bin
# Each stamp is touched when its chore is done, so that the second time costs nothing.
RUN := .venv/.run-stamp
DEV := .venv/.dev-stamp
TOOLS := .tools/.stamp
DIST := src/pixelmill/web/dist/.stamp
# Empty where there are no pages to build.
PAGES := $(and $(wildcard web/package.json),$(DIST))
PAGE_SOURCES := $(and $(PAGES),$(shell find web \( -name node_modules -o -name dist -o -name coverage \) -prune -o -type f -print))

.PHONY: help run dev tools pages test test-pages bench chaos fuzz soak lint types layers format lock lock-check check audit licences sbom hooks clean

help:  ## list every chore
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: $(RUN) $(PAGES)  ## set up what is missing, then serve on http://127.0.0.1:3000
	@exec $(BIN)/pixelmill serve

dev: $(DEV)  ## set up .venv with everything a developer needs
	@:

tools: $(TOOLS)  ## get what tests start and no wheel has: Debian's packages and, where npm can be had, Node's
	@:

pages: $(PAGES)  ## build the pages (web/) into the package
	@:

test: $(DEV) $(TOOLS) $(PAGES) $(if $(ARGS),,$(and $(PAGES),test-pages))  ## run every test, servers and browser included (ARGS="-k word" to choose)
	@$(BIN)/pytest -n 2 --dist loadfile --tb=short $(ARGS)

test-pages: $(PAGES)  ## run the unit tests of the pages
	@sh scripts/npm.sh test

bench: $(DEV) $(PAGES)  ## measure; each bench/*/run.py, or ARGS="e2e imaging" to choose
	@for name in $(or $(ARGS),$(notdir $(patsubst %/run.py,%,$(wildcard bench/*/run.py)))); do $(BIN)/python bench/$$name/run.py || exit 1; done

chaos: $(DEV) $(TOOLS) $(PAGES)  ## break everything under load for half an hour, then look for what was lost (ARGS="--on apart --seed 7")
	@$(BIN)/python -m tests.chaos.run $(ARGS)

fuzz: $(DEV)  ## send 100,000 damaged files through the sandbox (ARGS="--seed 7 --inputs 1000")
	@$(BIN)/python -m tests.fuzz.run $(ARGS)

soak: $(DEV) $(PAGES)  ## an hour of all the load it takes: does memory, a file or the database grow? (ARGS="--minutes 5")
	@$(BIN)/python -m tests.chaos.soak $(ARGS)

lint: $(DEV)  ## look for faults without running the code
	@$(BIN)/python scripts/lint.py

types: $(DEV)  ## check the types
	@$(BIN)/mypy

layers: $(DEV)  ## check that imports point down only
	@$(BIN)/lint-imports

format: $(DEV)  ## put the code in its usual form
	@$(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format --quiet .

lock: $(DEV)  ## pin the requirements again from pyproject.toml (ARGS=--upgrade for the newest)
	@$(BIN)/python scripts/lock.py $(ARGS)

lock-check: $(DEV)  ## check that the pins belong to pyproject.toml
	@$(BIN)/python scripts/lock.py --check

check: lint types layers lock-check  ## everything that needs no test run

audit: $(DEV)  ## look for known faults in the packages of the service; says so if no database of them can be reached
	@$(BIN)/python scripts/audit.py

licences: $(DEV)  ## check that every package of the service has a licence that fits
	@$(BIN)/python scripts/licences.py

sbom: $(DEV)  ## write what the service is made of, bundled codecs included, to build/sbom.json (CycloneDX)
	@$(BIN)/python -m scripts.sbom

hooks: $(DEV)  ## let git run the checks before each commit (optional)
	@$(BIN)/prek install --quiet

clean:  ## remove what was built and cached; .venv, .tools and data stay
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build site src/pixelmill/web/dist web/node_modules

$(RUN): pyproject.toml requirements/runtime.txt requirements/build.txt
	@$(ENVIRONMENT) runtime build && touch $@

$(DEV): pyproject.toml requirements/runtime.txt requirements/build.txt requirements/dev.txt
	@$(ENVIRONMENT) runtime build dev && touch $(RUN) $@

$(TOOLS): scripts/debian.py scripts/peers.sh tests/node/package-lock.json | $(RUN)
	@$$(sh scripts/python.sh) scripts/debian.py && sh scripts/peers.sh && touch $@

$(DIST): $(PAGE_SOURCES) | $(RUN)
	@sh scripts/npm.sh run build && touch $@
