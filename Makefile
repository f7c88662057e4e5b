# `make install`, `make train` and `make test` need nothing but Python 3.10 to 3.13; everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install train weights test lint slow clean

install: .venv/installed

# As many epochs as two cores do in ten minutes, with the installation
train: .venv/installed
	$(BIN)/python train.py trainer.max_epochs=17

# The general model, from nothing: PHOTOS and LOGOS are folders. Takes nights on two cores; run again, it goes on
weights: .venv/installed
	$(BIN)/python scripts/make_weights.py general "$(PHOTOS)" --logos "$(LOGOS)"

test: .venv/installed
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

slow: .venv/installed
	$(BIN)/python -m pytest -m slow

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python scripts/check_asserts.py src tests benchmarks scripts
	$(BIN)/python scripts/draw_structure.py --check
	$(BIN)/python scripts/draw_configuration.py --check
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv
