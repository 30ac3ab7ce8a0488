# Kuberian in a container: `index`, `search` and every other subcommand, `serve` and `cron`. See docs/container.md.
ARG BASE=docker.io/library/debian:trixie-slim

# hadolint global ignore=DL3008
# (DL3008 would pin versions of Debian's packages: a stable release changes only to mend them, and drops the old ones.)

# ---------------------------------------------------------------------------------------------------------------------
FROM ${BASE} AS builder

RUN apt-get update \
    && apt-get install -y --no-install-recommends binutils gcc libc6-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/build \
    && python3 -m venv --without-pip /opt/kuberian

# Where a proxy of your own stands before the package index, its certificates come as a secret, which no layer keeps:
# docker build --secret id=certificates,src=/etc/ssl/certs/ca-certificates.crt …

# What builds: the build backend and, on x86-64, MKL's static archives.
COPY locks/build.txt /src/locks/
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r /src/locks/build.txt

# What runs. Of NumPy, no tests, no type stubs and no Fortran. ONEDNN=yes keeps oneDNN, one copy of the wheel's three and
# without its symbols: see docs/container.md for what it weighs and what it gains.
COPY locks/image.txt /src/locks/
ARG ONEDNN=no
WORKDIR /opt/kuberian
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    /opt/build/bin/pip --python bin/python install --no-cache-dir --no-compile \
        --require-hashes --no-deps --only-binary :all: -r /src/locks/image.txt \
    && find . -name tests -type d -prune -exec rm -r {} + \
    && find . -name '*.pyi' -delete \
    && rm -rf include lib/libdnnl.so lib/libdnnl.so.3.* bin/f2py bin/numpy-config lib/python3*/site-packages/numpy/f2py \
    && if [ "${ONEDNN}" = yes ] && [ -e lib/libdnnl.so.3 ]; then strip --strip-unneeded lib/libdnnl.so.3; \
       else rm -f lib/libdnnl.so.3; fi

# Kuberian itself, and the one MKL library that it needs; FAISS takes its linear algebra from there, too.
COPY pyproject.toml README.md LICENSE /src/
COPY kuberian /src/kuberian
COPY indexer /src/indexer
COPY searcher /src/searcher
COPY scripts/link_mkl.py scripts/mkl_layers.c /src/scripts/
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /src/dist /src \
    && /opt/build/bin/pip --python bin/python install --no-cache-dir --no-compile --no-deps --no-index /src/dist/*.whl \
    && if [ ! -e lib/libdnnl.so.3 ]; then rm lib/python3*/site-packages/kuberian/checkpoints/*/int8.safetensors; fi \
    && if [ "$(uname -m)" = x86_64 ]; then \
           site=$(bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
           && bin/python /src/scripts/link_mkl.py lib --archives /opt/build/lib \
                  --replacing "${site}"/faiss_cpu.libs/libopenblas*.so --of "${site}/faiss/libfaiss.so" \
           && rm -f "${site}"/faiss_cpu.libs/libgfortran* "${site}"/faiss_cpu.libs/libquadmath* \
           && cp /opt/build/lib/python3*/site-packages/mkl_static-*.dist-info/LICENSE.txt lib/libkuberian_mkl.LICENSE; \
       fi

COPY deploy/container/cron.py deploy/container/health.py libexec/
# Compiled ahead, as nothing can be written later, and trusted as they are: no look at every source's date at each start.
RUN bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash lib libexec

# ---------------------------------------------------------------------------------------------------------------------
FROM ${BASE}

# Of git what reads and clones repositories: its servers, Scalar, and the Perl that mails patches weigh 90 MB.
WORKDIR /usr/lib/git-core
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git libgomp1 python3 tini tzdata \
    && dpkg --purge --force-depends git-man liberror-perl libperl5.40 perl perl-modules-5.40 \
    && rm git-daemon git-http-backend git-http-fetch git-http-push git-imap-send git-sh-i18n--envsubst git-shell scalar \
        /usr/bin/git-shell /usr/bin/scalar /usr/bin/tini-static \
    && ln -sf /usr/bin/git git \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/log/* \
    && useradd --uid 10001 --no-create-home --home-dir /data kuberian \
    && install -d -o kuberian -g kuberian /data /repositories \
    && git config --system --add safe.directory '/repositories/*'

COPY --from=builder /opt/kuberian /opt/kuberian
COPY deploy/container/entrypoint /usr/local/bin/entrypoint

ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="Kuberian" \
      org.opencontainers.image.description="Semantic code search: index git repositories, ask in plain words, offline" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim"

ENV PATH=/opt/kuberian/bin:/usr/local/bin:/usr/bin:/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    KUBERIAN_HOME=/data

USER 10001:10001
VOLUME /data
WORKDIR /repositories
EXPOSE 8080
HEALTHCHECK --interval=1m --timeout=5s --start-period=30s CMD ["entrypoint", "health"]
ENTRYPOINT ["tini", "--", "entrypoint"]
CMD ["--help"]
