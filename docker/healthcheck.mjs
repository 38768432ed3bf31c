/**
 * The health check of all images: asks the process in the container whether it is ready. The worker answers on its
 * metrics port, the api on its own.
 */
const { HEALTH_URL, METRICS_PORT, PORT = '4400' } = process.env;
const url = HEALTH_URL ?? `http://127.0.0.1:${METRICS_PORT ?? PORT}/readyz`;
try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) });
  console.log(`${url} answers ${answer.status}`);
  process.exitCode = answer.ok ? 0 : 1;
} catch (error) {
  console.log(`${url} does not answer: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
