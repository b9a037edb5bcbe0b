# Volume Manager as an image. eng/image.sh builds it with its labels; plugin/build.sh makes the managed plugin of it.

# The stage that has the program: compiled from the source, or what eng/image.sh --program puts into the context.
ARG PROGRAM=compiled

# Compiled on the machine's own architecture for the one that is asked for: no emulator runs the compiler.
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:10.0 AS compiled
ARG TARGETARCH
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY migrations migrations
COPY src src
RUN dotnet publish src/VolumeManager --configuration Release --arch $TARGETARCH -p:PublishProfile=Package -p:RestoreLockedMode=true --output /volman

FROM scratch AS published
COPY volman /volman

FROM $PROGRAM AS program

FROM debian:trixie-slim AS volman
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libssl3t64 nfs-common \
 && rm -rf /var/lib/apt/lists/* /var/lib/dpkg/*-old /var/cache/debconf/*-old /var/log/*
COPY --from=program /volman /opt/volman
RUN ln -s /opt/volman/volman /usr/bin/volman
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["volman", "status", "--quick"]
ENTRYPOINT ["volman"]
CMD ["serve"]

# A host of the demonstration (docker-compose.yml): volman with an engine of its own. Built only for --target=demo-host.
FROM volman AS demo-host
RUN apt-get update \
 && apt-get install --yes --no-install-recommends busybox-static docker-cli docker.io \
 && rm -rf /var/lib/apt/lists/*
COPY deploy/host/start deploy/host/show /usr/local/bin/
ENTRYPOINT ["start"]
CMD []

# The last stage is what is built when nothing else is asked for.
FROM volman
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Volume Manager" \
      org.opencontainers.image.description="A Docker volume plugin that keeps its volumes in a database" \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.licenses="MIT"
