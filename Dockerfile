# Volume Manager as an image. eng/image.sh builds it with its labels; plugin/build.sh makes the managed plugin of it.
FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:10.0 AS build
ARG TARGETARCH
WORKDIR /source
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY migrations migrations
COPY src src
RUN dotnet publish src/VolumeManager --configuration Release --arch $TARGETARCH -p:PublishProfile=Package --output /volman

FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libsqlite3-0 nfs-common \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /volman /opt/volman
RUN ln -s /opt/volman/volman /usr/bin/volman
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Volume Manager" \
      org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.revision=$REVISION \
      org.opencontainers.image.licenses="MIT"
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["volman", "status"]
ENTRYPOINT ["volman"]
CMD ["serve"]
