# What a developer does here. `make` alone lists it.
PYTHON_IN_VENV := .venv/bin/python
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
PIP := $(PYTHON_IN_VENV) -m pip install --quiet --disable-pip-version-check
# Tests are handed to several processes one at a time, the slow ones first. A test that hangs ends its process, and
# the others go on; handed out by files, it would be given to the next one.
SIDE_BY_SIDE := --numprocesses=auto --dist=load --maxschedchunk=1 --durations=20
# Tests start hundreds of processes, which need not compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test containers lint schemas reference check bench kafka kafka-stop fuzz faults faults-long

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv and install the project with its `wallaroo` command

demo: $(INSTALLED) ## transactions in, alerts out, in a minute, with nothing but Python
	@.venv/bin/wallaroo demo

test: $(INSTALLED_DEV) ## every test this machine can run, on a real Kafka (ARGS="-k name" for some, -n0 to debug)
	$(PYTHON_IN_VENV) -m pytest --ignore=tests/containers $(SIDE_BY_SIDE) $(ARGS)
	@if [ -z "$(ARGS)" ] && docker info >/dev/null 2>&1; then $(MAKE) containers; fi

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

faults: $(INSTALLED_DEV) ## torment services on a real Kafka (SEED=n RUNS=n KINDS=a,b): tests/faults/results.json
	@PYTHONPATH=. $(PYTHON_IN_VENV) -m tests.faults --seed="$(SEED)" --runs="$(RUNS)" --kinds="$(KINDS)" $(ARGS)

faults-long: $(INSTALLED_DEV) ## the same for an hour (SEED=n KINDS=a,b)
	@PYTHONPATH=. $(PYTHON_IN_VENV) -m tests.faults --minutes=60 --seed="$(SEED)" --kinds="$(KINDS)" $(ARGS)

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
