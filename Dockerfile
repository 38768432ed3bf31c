# One image for api and worker (which one is told by the command), and one more for the simulator.
ARG NODE_IMAGE=node:24-bookworm-slim

# Everything that is needed to build: all packages, all sources.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
# The simulator is no part of the engine's image.
RUN npm run build && mv dist/simulator dist-simulator

# Only the packages that production needs.
FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM ${NODE_IMAGE} AS base
# git reads repositories (worker) and serves them (simulator).
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git ca-certificates \
    && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY package.json ./
COPY --from=packages /app/node_modules ./node_modules
COPY docker/healthcheck.mjs ./docker/healthcheck.mjs
# A named volume takes over the owner of the folder that it covers.
RUN mkdir -p /var/lib/bucket-brigade/clones && chown -R node:node /var/lib/bucket-brigade
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 CMD ["node", "docker/healthcheck.mjs"]
USER node

FROM base AS simulator
COPY --from=build /app/dist/launcher ./dist/launcher
COPY --from=build /app/dist-simulator ./dist/simulator
EXPOSE 7990
ENV HEALTH_URL=http://127.0.0.1:7990/_simulator/credentials
CMD ["node", "dist/simulator/main.js", "--host", "0.0.0.0"]

# The last stage is what `docker build .` makes.
FROM base AS engine
COPY --from=build /app/dist ./dist
RUN node --check dist/worker.js && node --check dist/api/server.js
EXPOSE 4400 9464
ENV HOST=0.0.0.0 CLONE_FOLDER=/var/lib/bucket-brigade/clones
CMD ["node", "--initial-old-space-size=128", "--max-semi-space-size=8", "dist/api/server.js"]
