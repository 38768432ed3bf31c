import { z } from '@hono/zod-openapi';
import type { Outlook } from '../../db/queries/importForecast.ts';
import { estimatedNumber } from './estimatedNumber.ts';
import { timestamp } from './shared.ts';

export const requestsLeft = z.number().int().min(0).nullable().meta({
  description: 'API requests that are left, as far as is known: a floor until all lists have been counted',
});
export const recordsPerSecond = z
  .number()
  .min(0)
  .meta({ description: 'records stored, over the last minute' });
export const estimatedEnd = timestamp.nullable().meta({
  description:
    'from what is left, the present speed and the allowance; null: not known, or it waits for a person',
});

export const expectedRange = estimatedNumber.nullable().meta({
  description:
    'rows in all, of commits and activity, whose number Bitbucket does not announce: by what is stored and where the reading stands; else by the last dry run (kept for a day); else by the list of pull requests and the size of the repository. Narrows until the stream has ended, then it is the count. null: of the other streams, which have `expected`; and before anything tells, as while the list of pull requests has not begun',
});

export const tenths = (value: number): number => Math.round(value * 10) / 10;

export const presentOutlook = ({
  requestsLeft: left,
  recordsPerSecond: rate,
  estimatedEnd: end,
}: Outlook) => ({
  requests_left: left,
  records_per_second: tenths(rate),
  estimated_end: end,
});
