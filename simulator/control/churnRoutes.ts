import type { Churn } from '../churn/churn.ts';
import { type ControlRoutes, readJson, sendJson, streamLines } from './controlRoutes.ts';

/** `/_simulator/churn…`: changes that go on by themselves. */
export function createChurnRoutes(churn: Churn): ControlRoutes {
  return {
    'GET churn': ({ response }) => sendJson(response, churn.report()),
    'GET churn/changes': ({ response }) => streamLines(response, churn.changes()),
    'POST churn': async ({ request, response }) => {
      churn.start(await readJson(request));
      sendJson(response, churn.report());
    },
    'DELETE churn': async ({ response }) => {
      await churn.stop();
      sendJson(response, churn.report());
    },
  };
}
