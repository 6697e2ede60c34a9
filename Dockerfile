# The service and the applications in topologies/, run by a user without rights.
# Where packages come from is for the machine that builds to say: --build-arg PIP_INDEX_URL=...
FROM python:3.12-slim-bookworm AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python3 -m venv --without-pip /opt/wallaroo
COPY pyproject.toml README.md LICENSE ./
# The dependencies are a layer of their own, for a package that is still empty: they seldom change.
RUN mkdir -p service/wallaroo && touch service/wallaroo/__init__.py \
 && pip --python /opt/wallaroo install --quiet .
COPY service service
RUN pip --python /opt/wallaroo install --quiet --no-deps --force-reinstall .

FROM python:3.12-slim-bookworm
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
