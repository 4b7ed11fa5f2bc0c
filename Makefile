# Everything a person needs: `make demo`. Nothing but Python 3.11 or newer and make is required.
.POSIX:
.PHONY: demo test check bench clean setup setup-dev

PORT ?= 8000
PYTHON ?= python3
# One section of the benchmarks (members, benefits, partners, insights, growth, web, platform).
SECTION ?=
# More arguments for pytest: make test ARGS="-k redeem -x".
ARGS ?=

VENV = .venv/bin/python
SERVICES = $(VENV) -m config.services

demo: setup
	@echo "Starting PostgreSQL and Valkey"
	@TESSERA_MODE=demo PORT=$(PORT) $(SERVICES) exec --profile demo -- $(VENV) manage.py run --prepare

test: setup-dev
	@TESSERA_MODE=test $(SERVICES) exec --profile test -- $(VENV) -m pytest -n 2 --dist worksteal $(ARGS)

check: setup-dev
	@TESSERA_MODE=test $(SERVICES) exec --profile test -- sh tools/check.sh $(VENV)

bench: setup-dev
	@TESSERA_MODE=demo $(SERVICES) exec --profile bench -- $(VENV) -m bench $(SECTION)

clean:
	@if [ -x $(VENV) ]; then $(SERVICES) clean; fi
	@rm -rf .data .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup:
	@$(PYTHON) tools/bootstrap.py base
	@$(VENV) tools/messages.py

setup-dev:
	@$(PYTHON) tools/bootstrap.py base dev
	@$(VENV) tools/messages.py
