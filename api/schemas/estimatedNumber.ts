import { z } from '@hono/zod-openapi';
import { ESTIMATE_BASES } from '../../workflows/words.ts';

const count = z.number().int().min(0);

export const estimatedNumber = z
  .strictObject({
    low: count,
    expected: count,
    high: count,
    basis: z.enum(ESTIMATE_BASES).meta({
      description:
        'how it is known, from the surest: `counted`; `listed` (Bitbucket says how many); `pull_requests` (what a sample of them shows); `imported_repositories` (how those of this organization turned out); `repository_size` (its bytes only); `sampled_repositories` (most were not asked about)',
    }),
  })
  .openapi('EstimatedNumber');
