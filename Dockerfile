# The Event Manager: docker build -t madsci-event-manager .
# How to run it: docs/how-to/run-in-containers.md. Works with the classic builder and with BuildKit.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
# Optional parts, such as --build-arg EXTRAS=[parquet]
ARG EXTRAS=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src src
# The packages lie in one folder of their own, so that the image is that folder beside Python. What is
# installed by a name without a version is the wheel made here. A library brings its C sources and manuals.
# hadolint ignore=DL3013
RUN pip wheel --no-deps --wheel-dir /wheels . \
    && set -- /wheels/*.whl \
    && pip install --target /app "$1${EXTRAS}" \
    && rm -rf /app/src /app/share \
    && test -f /app/madsci/event_manager/schema.json

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="MADSci Event Manager" \
      org.opencontainers.image.licenses="MIT"
# The id is that of the first person on most machines, whose mounted folders it can then write.
RUN useradd --uid 1000 --create-home --shell /usr/sbin/nologin madsci \
    && install --directory --owner madsci --group madsci /home/madsci/.madsci
COPY --from=build /app /app
ENV PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    EVENT_SERVER_URL=http://0.0.0.0:8001/
USER 1000
# Settings files are read here; events, backups and logs go to .madsci.
WORKDIR /home/madsci
VOLUME /home/madsci/.madsci
EXPOSE 8001
# 503, which says that the store cannot be used, is an error to urllib, and so is no answer at all.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-c", "import os; from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open(os.environ['EVENT_SERVER_URL'].rstrip('/') + '/health', timeout=8)"]
CMD ["python", "-m", "madsci.event_manager.event_server"]
