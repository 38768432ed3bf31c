import { sql } from 'drizzle-orm';
import type { ApiApp } from '../dependencies.ts';
import { unavailable } from '../problem.ts';

/** For those who run it: alive, ready, metrics. No key, nothing of any tenant. */
export function addSystemRoutes(app: ApiApp): void {
  app.get('/livez', (c) => c.json({ status: 'alive' }));

  app.get('/readyz', async (c) => {
    const { database, orchestrator } = c.var.dependencies;
    await database.withoutTenant((tx) => tx.execute(sql`select 1`));
    if (!(await orchestrator.reachable())) throw unavailable('Temporal');
    return c.json({ status: 'ready' });
  });

  app.get('/metrics', async (c) => {
    const { metrics } = c.var.dependencies;
    return c.body(await metrics.metrics(), 200, { 'Content-Type': metrics.contentType });
  });
}
