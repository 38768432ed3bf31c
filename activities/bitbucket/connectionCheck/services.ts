import { FeatureGone, Forbidden, NotFound, ScopeMissing, type BitbucketError } from '../errors.ts';
import { missingScopes, neededScopes, type Vocabulary } from '../scopes.ts';
import type { Asker } from './ask.ts';
import type { ServiceReport } from './report.ts';
import type { SampleRepository } from './visibility.ts';

/**
 * What each service could do with this credential: by the table of scopes, or, where Bitbucket does not name the granted
 * scopes (plain passwords), by trying.
 */
export async function servicesOf(
  asker: Asker,
  credential: { vocabulary: Vocabulary; granted: string[] | null },
  sample: SampleRepository | undefined,
): Promise<ServiceReport[]> {
  return [
    await byTable(asker, 'repositories', credential, undefined),
    await byTable(
      asker,
      'pull_requests',
      credential,
      sample && `/repositories/${sample.fullName}/pullrequests?pagelen=1`,
    ),
    await tickets(asker, credential, sample),
  ];
}

async function byTable(
  asker: Asker,
  service: 'repositories' | 'pull_requests',
  { vocabulary, granted }: { vocabulary: Vocabulary; granted: string[] | null },
  trial: string | undefined,
): Promise<ServiceReport> {
  if (granted !== null) return report(service, missingScopes(vocabulary, service, granted));
  if (trial === undefined) return report(service, []);
  const answer = await asker.askOr<ScopeMissing | Forbidden>(trial, ScopeMissing, Forbidden);
  return report(service, answer instanceof Error ? [...neededScopes(vocabulary, service)] : []);
}

const report = (service: ServiceReport['service'], missing: string[]): ServiceReport => ({
  service,
  status: missing.length === 0 ? 'ready' : 'missing_scopes',
  missing_scopes: missing,
});

/**
 * Tickets exist only on hosts of before 2026-08-20: any repository tells, by 410. A tracker that is turned off
 * (404) says that the host still has trackers. Without a repository to ask, the scopes alone decide.
 */
async function tickets(
  asker: Asker,
  { vocabulary, granted }: { vocabulary: Vocabulary; granted: string[] | null },
  sample: SampleRepository | undefined,
): Promise<ServiceReport> {
  const missing = granted === null ? [] : missingScopes(vocabulary, 'tickets', granted);
  if (sample === undefined) return report('tickets', missing);
  const answer = await asker.askOr<BitbucketError>(
    `/repositories/${sample.fullName}/issues?pagelen=1`,
    FeatureGone,
    NotFound,
    ScopeMissing,
    Forbidden,
  );
  if (answer instanceof FeatureGone) return { service: 'tickets', status: 'unavailable', missing_scopes: [] };
  if (answer instanceof ScopeMissing && missing.length === 0) {
    return report('tickets', [...neededScopes(vocabulary, 'tickets')]);
  }
  return report('tickets', missing);
}
