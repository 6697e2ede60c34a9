# The service and the applications in topologies/, run by a user without rights.
# Where packages come from is for the machine that builds to say: --build-arg PIP_INDEX_URL=...
# `make image` gives the version, and the digest of the base that `make pin-image` found.
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
FROM ${PYTHON_IMAGE} AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# The dependencies are layers of their own, for they seldom change: every version and hash is in requirements/.
COPY requirements requirements
RUN python3 -m venv --without-pip /opt/wallaroo \
 && pip --python /opt/wallaroo install --quiet --require-hashes --requirement requirements/runtime.txt
RUN python3 -m venv --without-pip /opt/build \
 && pip --python /opt/build install --quiet --require-hashes --requirement requirements/build.txt \
 && python3 -m venv --without-pip /opt/sbom-tool \
 && pip --python /opt/sbom-tool install --quiet --require-hashes --requirement requirements/sbom.txt
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY topologies topologies
COPY service service
# There is no git here that could say it.
ARG WALLAROO_VERSION
RUN SETUPTOOLS_SCM_PRETEND_VERSION=$WALLAROO_VERSION pip --python /opt/build wheel --quiet --no-build-isolation \
    --no-deps --wheel-dir dist . \
 && pip --python /opt/wallaroo install --quiet --no-index --no-deps dist/*.whl \
 && /opt/sbom-tool/bin/cyclonedx-py environment --output-reproducible --output-file /opt/wallaroo/sbom.cdx.json \
    /opt/wallaroo

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin wallaroo
COPY --from=build /opt/wallaroo /opt/wallaroo
WORKDIR /app
COPY schemas schemas
COPY topologies topologies
COPY deploy/demo demo
ENV PATH=/opt/wallaroo/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    WALLAROO_HTTP_HOST=0.0.0.0 WALLAROO_HTTP_PORT=8080
USER wallaroo
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['WALLAROO_HTTP_PORT']}/healthz\", timeout=4)"]
# The service is process 1: it handles SIGTERM, and waits for the workers it starts.
ENTRYPOINT ["wallaroo"]
CMD ["run", "topologies.alerts_stateful"]
