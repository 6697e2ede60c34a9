# What a developer does here. `make` alone lists it.
PYTHON_IN_VENV := .venv/bin/python
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
PIP := $(PYTHON_IN_VENV) -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup demo test containers lint schemas reference check bench kafka kafka-stop fuzz

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv and install the project with its `wallaroo` command

demo: $(INSTALLED) ## transactions in, alerts out, in a minute, with nothing but Python
	@.venv/bin/wallaroo demo

test: $(INSTALLED_DEV) ## every test this machine can run, on a real Kafka (ARGS="-k name" for some)
	$(PYTHON_IN_VENV) -m pytest $(ARGS)

containers: $(INSTALLED_DEV) ## the tests in containers alone: Docker, or root on a Debian, which installs it
	scripts/docker/with-daemon.sh $(PYTHON_IN_VENV) -m pytest tests/containers $(ARGS)

lint: $(INSTALLED_DEV) ## style, format and types
	$(PYTHON_IN_VENV) -m ruff check
	$(PYTHON_IN_VENV) -m ruff format --check
	$(PYTHON_IN_VENV) -m mypy

schemas: $(INSTALLED_DEV) ## whether schemas/json still says what schemas/ says
	$(PYTHON_IN_VENV) -m schemas.export --check

reference: $(INSTALLED_DEV) ## whether docs/reference.md still says what the docstrings say
	$(PYTHON_IN_VENV) -m scripts.reference --check

check: lint schemas test ## all of the above, before you push

fuzz: $(INSTALLED_DEV) ## look for bytes that break a reader, half a minute each (ARGS="-max_total_time=600")
	@$(PIP) --group fuzz
	@mkdir -p build/fuzz
	@for reader in tests/fuzz/fuzz_*.py; do \
		PYTHONPATH=. $(PYTHON_IN_VENV) $$reader -max_total_time=30 -timeout=5 -artifact_prefix=build/fuzz/ $(ARGS) || exit 1; \
	done

bench: $(INSTALLED_DEV) ## measure alerts_stateful on a real Kafka: benchmarks/results/ours.json
	$(PYTHON_IN_VENV) -m benchmarks.ours $(ARGS)

kafka: $(INSTALLED) ## start a real Kafka on localhost:9092 (KAFKA="name=value ..." sets broker properties)
	@$(PYTHON_IN_VENV) -m scripts.kafka start $(KAFKA)

kafka-stop: $(INSTALLED) ## stop it; its data stays in .kafka/broker
	@$(PYTHON_IN_VENV) -m scripts.kafka stop

$(INSTALLED): pyproject.toml scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh
	@touch $@

# Dependency groups came with pip 25.1.
$(INSTALLED_DEV): $(INSTALLED)
	@echo "Installing the developer's tools into .venv ..."
	@$(PIP) "pip>=25.1"
	@$(PIP) --group dev
	@touch $@
