# Pixelmill in one image; its commands are those of `pixelmill`: serve (all in one), api, worker, migrate, keys …
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
# What changes seldom comes first: the pinned packages of the service, then what builds it, then the code.
COPY requirements/runtime.txt requirements/
RUN python3 -m venv /opt/pixelmill && /opt/pixelmill/bin/pip install --require-hashes -r requirements/runtime.txt
COPY requirements requirements
RUN python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements/build.txt -r requirements/node.txt
COPY scripts scripts
COPY web web
RUN mkdir -p src/pixelmill/web && sh scripts/npm.sh run build
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN .venv/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && /opt/pixelmill/bin/pip install --no-deps --no-index wheels/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="Pixelmill" \
      org.opencontainers.image.description="Self-hosted image pipeline: images in, every variant out, nothing lost." \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 pixelmill \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin pixelmill \
    && install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=build /opt/pixelmill /opt/pixelmill
# The root may be mounted read-only: only /data and /tmp are written.
ENV PATH=/opt/pixelmill/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MALLOC_ARENA_MAX=2 \
    PIXELMILL_HOST=0.0.0.0 PIXELMILL_PORT=3000 PIXELMILL_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 3000
# Of `serve` and `api`. A worker has no port: see the check of its beat in compose.yaml.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:3000/livez', timeout=4)"]
ENTRYPOINT ["pixelmill"]
CMD ["serve"]
