# What the stages start from. A tag moves: build what you run with the digests that you have checked, so that nobody else decides what is in it:
#   digest_of() { docker buildx imagetools inspect "$1" --format '{{.Manifest.Digest}}'; }
#   docker build -t serin:0.1.0 \
#     --build-arg NODE_IMAGE=node:24-bookworm-slim@$(digest_of node:24-bookworm-slim) \
#     --build-arg GO_IMAGE=golang:1.26-bookworm@$(digest_of golang:1.26-bookworm) .
# Write down which ones they were: the next build of the same release takes them again. Newer ones bring the fixes of Debian, Node and Go: look each month.
ARG NODE_IMAGE=node:24-bookworm-slim
ARG GO_IMAGE=golang:1.26-bookworm

# Render kustomizations and charts, and decrypt what SOPS encrypted. `npm run tools` builds the same for the tests.
FROM ${GO_IMAGE} AS tools
RUN CGO_ENABLED=0 GOBIN=/tools go install -trimpath -ldflags='-s -w' sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
RUN CGO_ENABLED=0 GOBIN=/tools go install -trimpath -ldflags='-s -w' helm.sh/helm/v3/cmd/helm@v3.22.0
RUN CGO_ENABLED=0 GOBIN=/tools go install -trimpath -ldflags='-s -w' github.com/getsops/sops/v3/cmd/sops@v3.13.3

# Build with all tools, run with none of them.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
# Helm fetches charts over TLS only with authorities. The agent itself needs no git; the Git server of `serin demo` and `serin sandbox` does.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates git && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=tools /tools/kustomize /tools/helm /tools/sops /usr/local/bin/
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
# For `serin demo` and `serin sandbox`: definitions, schemas of Kubernetes, the demo's app.
COPY manifests/crds ./manifests/crds
COPY fixtures/crds ./fixtures/crds
COPY fixtures/demo ./fixtures/demo
COPY fixtures/helm/podinfo-repository ./fixtures/helm/podinfo-repository
COPY fixtures/kubernetes ./fixtures/kubernetes
USER 65532:65532
EXPOSE 8080
# A little more young space is collected far less often; threads for that cost a small heap more than they bring.
ENTRYPOINT ["node", "--max-semi-space-size=8", "--max-old-space-size=384", "--single-threaded-gc", "/app/dist/main.js"]
CMD ["run"]
