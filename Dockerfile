# syntax=docker/dockerfile:1
# Two images from one file: `probe` (light: the probe and the peer) and `server` (collector, analysis, maps).
#   docker build --target probe  -t haidang-probe .
#   docker build --target server -t haidang-server .

FROM python:3.12.8-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY measurement measurement
COPY verbs verbs
COPY archive archive
COPY probe probe
COPY collector collector
COPY analysis analysis
COPY maps maps
COPY simulation simulation

FROM build AS build-probe
RUN python -m venv /opt/haidang && /opt/haidang/bin/pip install --constraint constraints.txt .

FROM build AS build-server
RUN python -m venv /opt/haidang && /opt/haidang/bin/pip install --constraint constraints.txt '.[all]'

FROM python:3.12.8-slim-bookworm AS base
ENV PATH=/opt/haidang/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib
RUN useradd --system --uid 10001 --home-dir /data --create-home haidang
WORKDIR /data
USER 10001

FROM base AS probe
COPY --from=build-probe /opt/haidang /opt/haidang
ENTRYPOINT ["haidang-probe"]
CMD ["--help"]

FROM base AS server
COPY --from=build-server /opt/haidang /opt/haidang
ENTRYPOINT ["haidang-collector"]
CMD ["--help"]
