# What a developer does here. `make` alone lists it.
PYTHON_IN_VENV := .venv/bin/python
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
# Only what requirements/ names, from files with the hashes that it names.
LOCKED := -m pip install --quiet --disable-pip-version-check --require-hashes
# What works on the project and is no part of it, each in an environment of its own.
TOOLS := build/tools
SBOM_TOOL := build/sbom-tool
KUBERNETES_TOOL := build/kubernetes-tool
# The second checker of types, beside mypy.
PYRIGHT := 1.1.414
PYRIGHT_SHA256 := bf5f473f6167c0d14175492c3263d783b4489a6956e1c06c18e15228e3a3fa42
SITE_TOOL := build/site-tool
# What looks for pages that somebody cannot read or use.
AXE := 4.14.1
AXE_SHA256 := e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
# Tests are handed to several processes one at a time, the slow ones first. A test that hangs ends its process, and
# the others go on; handed out by files, it would be given to the next one.
SIDE_BY_SIDE := --numprocesses=auto --dist=load --maxschedchunk=1 --durations=20
# Tests start hundreds of processes, which need not compile every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check-tools console-test console-tools containers lint schemas site check bench kafka kafka-stop fuzz faults faults-long \
	faults-short simulate lock audit sbom wheel image pin-image

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## make .venv and install the project with its `wallaroo` command

demo: $(INSTALLED) ## transactions in, alerts out, in a minute, with nothing but Python
	@.venv/bin/wallaroo demo

test: $(INSTALLED_DEV) ## every test this machine can run, on a real Kafka (ARGS="-k name" for some, -n0 to debug)
	$(PYTHON_IN_VENV) -m pytest --ignore=tests/containers $(SIDE_BY_SIDE) $(ARGS)
	@if [ -z "$(ARGS)" ] && docker info >/dev/null 2>&1; then $(MAKE) containers; fi

check-tools: build/promtool/usr/bin/promtool build/pyright/package/index.js $(KUBERNETES_TOOL)/.installed ## fetch promtool, pyright and Kubernetes' schemas: without, some tests are skipped

# promtool alone: the package's own dependencies are for the server.
build/promtool/usr/bin/promtool:
	@mkdir -p build/promtool
	@cd build/promtool && apt-get download -qq prometheus 2>/dev/null \
		&& dpkg-deb --fsys-tarfile prometheus_*.deb | tar x ./usr/bin/promtool && rm prometheus_*.deb

build/pyright/package/index.js:
	@mkdir -p build/pyright
	@cd build/pyright && npm pack --silent pyright@$(PYRIGHT) >/dev/null \
		&& echo "$(PYRIGHT_SHA256)  pyright-$(PYRIGHT).tgz" | sha256sum --check --quiet \
		&& tar xzf pyright-$(PYRIGHT).tgz

console-test: console-tools ## the console in a browser (Chromium, from apt; Playwright and axe-core are fetched)
	$(PYTHON_IN_VENV) -m pytest -n0 tests/console $(ARGS)

console-tools: $(INSTALLED_DEV)
	@$(PYTHON_IN_VENV) $(LOCKED) -r requirements/browser.txt
	@mkdir -p build/console
	@cd build/console && npm pack --silent axe-core@$(AXE) >/dev/null \
		&& echo "$(AXE_SHA256)  axe-core-$(AXE).tgz" | sha256sum --check --quiet \
		&& tar xzf axe-core-$(AXE).tgz package/axe.min.js

containers: $(INSTALLED_DEV) ## the tests in containers alone: Docker, or root on a Debian, which installs it
	scripts/docker/with-daemon.sh $(PYTHON_IN_VENV) -m pytest tests/containers $(ARGS)

lint: $(INSTALLED_DEV) ## style, format and types
	$(PYTHON_IN_VENV) -m ruff check
	$(PYTHON_IN_VENV) -m ruff format --check
	$(PYTHON_IN_VENV) -m mypy

schemas: $(INSTALLED_DEV) ## whether schemas/json still says what schemas/ says
	$(PYTHON_IN_VENV) -m schemas.export --check

site: $(SITE_TOOL)/.installed ## the documentation as a site, strictly, its links checked: build/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(SITE_TOOL)/bin/mkdocs build --quiet --strict
	@$(PYTHON_IN_VENV) -m scripts.site.check build/site

check: lint schemas test ## all of the above, before you push

fuzz: $(INSTALLED_DEV) ## look for bytes that break a reader, half a minute each (ARGS="-max_total_time=600")
	@$(PYTHON_IN_VENV) $(LOCKED) --requirement requirements/fuzz.txt
	@mkdir -p build/fuzz
	@for reader in tests/fuzz/fuzz_*.py; do \
		PYTHONPATH=. $(PYTHON_IN_VENV) $$reader -max_total_time=30 -timeout=5 -artifact_prefix=build/fuzz/ $(ARGS) || exit 1; \
	done

faults: $(INSTALLED_DEV) ## torment services on a real Kafka (SEED=n RUNS=n KINDS=a,b JOBS=n): tests/faults/results.json
	@PYTHONPATH=. $(PYTHON_IN_VENV) -m tests.faults --seed="$(SEED)" --runs="$(RUNS)" --kinds="$(KINDS)" --jobs=$(or $(JOBS),1) $(ARGS)

faults-long: $(INSTALLED_DEV) ## the same for an hour, with plans of a minute (SEED=n KINDS=a,b JOBS=n)
	@PYTHONPATH=. $(PYTHON_IN_VENV) -m tests.faults --minutes=60 --length=long \
		--seed="$(SEED)" --kinds="$(KINDS)" --jobs=$(or $(JOBS),2) $(ARGS)

faults-short: $(INSTALLED_DEV) ## a short plan of each kind, the same each time: what CI runs
	@mkdir -p build/faults
	@PYTHONPATH=. $(PYTHON_IN_VENV) -m tests.faults --seed=1 --length=short --jobs=2 --tries=2 --within=7 \
		--results=build/faults/short.json $(ARGS)

simulate: $(INSTALLED_DEV) ## every interleaving, in memory (SEEDS=n SEED=first MUTATIONS=all): no Kafka, 10,000 a minute
	@PYTHONPATH=. $(PYTHON_IN_VENV) -m tests.simulation --seed="$(SEED)" --seeds="$(SEEDS)" --mutations="$(MUTATIONS)" $(ARGS)

bench: $(INSTALLED_DEV) ## measure alerts_stateful on a real Kafka: benchmarks/results/ours.json
	$(PYTHON_IN_VENV) -m benchmarks.ours $(ARGS)

kafka: $(INSTALLED) ## start a real Kafka on localhost:9092 (KAFKA="name=value ..." sets broker properties)
	@$(PYTHON_IN_VENV) -m scripts.kafka start $(KAFKA)

kafka-stop: $(INSTALLED) ## stop it; its data stays in .kafka/broker
	@$(PYTHON_IN_VENV) -m scripts.kafka stop

lock: $(TOOLS)/.installed ## write requirements/*.txt anew from pyproject.toml (ARGS=--upgrade takes the newest)
	@UV=$(TOOLS)/bin/uv scripts/lock.sh $(ARGS)

audit: $(TOOLS)/.installed ## ask an advisory service about every locked version; says so where none can be reached
	@$(PYTHON_IN_VENV) -m scripts.audit $(TOOLS)/bin/pip-audit

sbom: $(SBOM_TOOL)/.installed wheel ## what an installed wheel runs with, as CycloneDX: build/sbom.cdx.json
	@$(PYTHON_IN_VENV) -m venv --clear build/installed
	@build/installed/bin/python $(LOCKED) --requirement requirements/runtime.txt
	@build/installed/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps build/wheel/*.whl
	@build/installed/bin/python -m pip uninstall --quiet --yes pip setuptools
	@$(SBOM_TOOL)/bin/cyclonedx-py environment --output-reproducible --output-file build/sbom.cdx.json build/installed
	@echo "build/sbom.cdx.json; the image has its own in /opt/wallaroo/sbom.cdx.json"

wheel: $(INSTALLED) ## build/wheel/*.whl, with the version that git's tags say
	@rm -rf build/wheel
	@$(PYTHON_IN_VENV) -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir build/wheel .

# The base is pinned by its digest once `make pin-image` has found it.
image: $(INSTALLED) ## the image wallaroo-kafka, with the version that git's tags say
	docker build --tag wallaroo-kafka --build-arg WALLAROO_VERSION="$$($(PYTHON_IN_VENV) -m hatchling version)" \
		$$(sed 's/^/--build-arg PYTHON_IMAGE=/' deploy/python-image 2>/dev/null) .

pin-image: ## find the digest of the image's base, where its registry can be reached: deploy/python-image
	@scripts/docker/pin-image.sh

$(INSTALLED): pyproject.toml requirements/runtime.txt requirements/build.txt scripts/setup.sh
	@PYTHON="$(PYTHON)" sh scripts/setup.sh
	@touch $@

$(INSTALLED_DEV): $(INSTALLED) requirements/dev.txt
	@echo "Installing the developer's tools into .venv ..."
	@$(PYTHON_IN_VENV) $(LOCKED) --requirement requirements/dev.txt
	@touch $@

# An environment whose packages could not be had will do: `make lock` is what helps then.
$(PYTHON_IN_VENV):
	@$(MAKE) $(INSTALLED)

$(TOOLS)/.installed: requirements/tools.txt | $(PYTHON_IN_VENV)
	@$(PYTHON_IN_VENV) -m venv --clear $(TOOLS)
	@$(TOOLS)/bin/python $(LOCKED) --requirement $<
	@touch $@

$(KUBERNETES_TOOL)/.installed: requirements/kubernetes.txt | $(PYTHON_IN_VENV)
	@$(PYTHON_IN_VENV) -m venv --clear $(KUBERNETES_TOOL)
	@$(KUBERNETES_TOOL)/bin/python $(LOCKED) --requirement $<
	@touch $@

$(SBOM_TOOL)/.installed: requirements/sbom.txt | $(PYTHON_IN_VENV)
	@$(PYTHON_IN_VENV) -m venv --clear $(SBOM_TOOL)
	@$(SBOM_TOOL)/bin/python $(LOCKED) --requirement $<
	@touch $@

$(SITE_TOOL)/.installed: requirements/site.txt | $(PYTHON_IN_VENV)
	@$(PYTHON_IN_VENV) -m venv --clear $(SITE_TOOL)
	@$(SITE_TOOL)/bin/python $(LOCKED) --requirement $<
	@touch $@
