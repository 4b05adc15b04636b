# A static binary in an empty image that runs as nobody. The README says whether anybody has built it yet.
#   docker build --tag REPOSITORY:TAG .

# Alpine's Rust links against musl, statically.
FROM rust:1.95-alpine AS build
# aws-lc, the one TLS stack, is C and assembly.
RUN apk add --no-cache build-base cmake perl ca-certificates
WORKDIR /src
COPY . .
# The operator alone: the sandbox and the test control plane are not part of the image. An optimised build of the AWS SDK
# wants about 8 GB of memory.
RUN cargo build --release --locked --package causeway --bin causeway

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/release/causeway /causeway
# By number, so that runAsNonRoot can be checked without a passwd file.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/causeway"]
CMD ["run"]
