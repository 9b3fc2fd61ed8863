# The service in a container on JetPack 6, built without a network in a folder that
# 'personvit-deploy wheelhouse --python 3.10' made. Not run: no container has been built of it yet.
#   docker build --build-arg BASE=IMAGE -t personvit .
# IMAGE has Ubuntu's Python 3.10 and JetPack 6's TensorRT with its Python package (docs/containers.md).
ARG BASE

FROM ${BASE} AS installed
COPY wheels /wheelhouse/wheels
COPY packages.txt install.sh SHA256SUMS /wheelhouse/
RUN sh /wheelhouse/install.sh /opt/personvit

FROM ${BASE}
COPY --from=installed /opt/personvit /opt/personvit
# Not root. The groups that may use the GPU are the host's: give them with --group-add.
RUN mkdir -p /var/lib/personvit /run/personvit && chown 10001:10001 /var/lib/personvit /run/personvit
USER 10001:10001
ENV PERSONVIT_HOME=/var/lib/personvit RUNTIME_DIRECTORY=/run/personvit PYTHONUNBUFFERED=1
VOLUME /var/lib/personvit
HEALTHCHECK --interval=30s --timeout=10s --start-period=30m --retries=3 \
    CMD ["/opt/personvit/bin/personvit-deploy", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/personvit/bin/personvit-deploy"]
CMD ["serve"]
