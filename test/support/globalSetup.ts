import type { TestProject } from 'vitest/node';
import { startTestServers, TEST_SERVERS, type TestServers } from '../../scripts/testing/testServers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServers;
  }
}

/** Uses the servers that `npm test` started, else starts some for the project's files and stops them at its end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env[TEST_SERVERS];
  if (given !== undefined) {
    project.provide('servers', JSON.parse(given) as TestServers);
    return async () => {};
  }
  const { servers, environment, stop } = await startTestServers((message) =>
    project.vitest.logger.log(message),
  );
  Object.assign(process.env, environment);
  project.provide('servers', servers);
  return stop;
}
