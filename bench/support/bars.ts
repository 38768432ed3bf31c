import type { BenchResult } from '../main.ts';

export interface Bar {
  bench: string;
  /** what it says in the table */
  text: string;
  met: (figures: BenchResult) => boolean;
}

const most = (bench: string, figure: string, limit: number): Bar => ({
  bench,
  text: `${figure} ≤ ${limit.toLocaleString('en-US')}`,
  met: (figures) => Number(figures[figure]) <= limit,
});
const least = (bench: string, figure: string, limit: number): Bar => ({
  bench,
  text: `${figure} ≥ ${limit.toLocaleString('en-US')}`,
  met: (figures) => Number(figures[figure]) >= limit,
});

/** What each benchmark must reach; section 13 of the design and issues 4 and 5. */
export const BARS: readonly Bar[] = [
  most('requests', 'requests', 740),
  {
    bench: 'requests',
    text: 'requests ≤ 1.06 × floor',
    met: (figures) => Number(figures['requests']) <= 1.06 * Number(figures['floor']),
  },
  most('requests', 'without_flawed', 720),
  least('import', 'records_per_second', 3_400),
  most('overhead', 'ratio', 1.5),
  least('unchanged', 'rate_ratio', 1.2),
  most('unchanged', 'row_versions', 0),
  most('unchanged', 'changed_requests_share', 0.05),
  most('growth', 'ratio_growth', 1.1),
  most('growth', 'memory_ratio', 1.15),
  most('growth', 'max_events', 2_000),
  most('growth', 'max_payload_bytes', 16_384),
  least('allowance', 'useful_share', 0.95),
  most('allowance', 'violations', 0),
  most('allowance', 'fairness', 0.1),
  most('resume', 'lost', 0),
  {
    bench: 'resume',
    text: 'refetched_pages ≤ 2 a kill',
    met: (figures) => Number(figures['refetched_pages']) <= 2 * Number(figures['kills']),
  },
  least('resume', 'speed_share', 0.75),
  most('git', 'ratio_to_git', 1.6),
  least('fanout', 'repositories_per_second', 5),
  most('fanout', 'requests_per_repository', 4),
  most('webhooks', 'p99_ms_500', 50),
  most('webhooks', 'p99_ms_1000', 150),
  most('webhooks', 'lost', 0),
  most('webhooks', 'refused', 0),
  most('webhooks', 'storm_p99_ms', 2_000),
  most('webhooks', 'down_p99_ratio', 1.1),
  most('reads', 'p99_ms', 25),
  least('reads', 'per_second', 195),
  most('freshness', 'p50_ms', 2_000),
  most('freshness', 'p99_ms', 7_000),
  most('idle', 'requests', 320),
  most('idle', 'allowance_share', 0.3),
  {
    bench: 'simulator',
    text: 'full pages and small lists per core',
    met: (figures) => figures['met'] === true,
  },
];
