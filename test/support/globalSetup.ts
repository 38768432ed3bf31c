import type { TestProject } from 'vitest/node';
import {
  type SharedServers,
  startProjectTemporal,
  startSharedServers,
  TEST_NAMESPACE,
  TEST_SERVERS,
  type TestServers,
} from '../../scripts/testing/testServers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers;
  }
}

/** Uses what `npm test` started for all projects, else starts it for this one and stops it at its end. */
async function sharedServers(say: (message: string) => void) {
  const given = process.env[TEST_SERVERS];
  if (given !== undefined) return { servers: JSON.parse(given) as SharedServers, stop: async () => {} };
  const { servers, environment, stop } = await startSharedServers(say);
  Object.assign(process.env, environment);
  return { servers, stop };
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = await sharedServers((message) => project.vitest.logger.log(message));
  try {
    const temporal = await startProjectTemporal(shared.servers.temporalCli);
    project.provide('servers', {
      ...shared.servers,
      temporalAddress: temporal.address,
      temporalNamespace: TEST_NAMESPACE,
    });
    return async () => {
      await temporal.stop();
      await shared.stop();
    };
  } catch (error) {
    await shared.stop();
    throw error;
  }
}
