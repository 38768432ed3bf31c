import { Forbidden, NotFound, RepositoryGone, ScopeMissing } from '../errors.ts';
import { missingScopes, type Vocabulary } from '../scopes.ts';
import type { Asker } from './ask.ts';
import type { WebhookReport } from './report.ts';
import { segment, type TokenTarget } from './target.ts';
import { administersRepository, type Seen } from './visibility.ts';

/** Beyond this many workspaces without administration the repositories' side is not asked for. */
const ASKED_WORKSPACES = 20;

/**
 * Whether webhooks could be set up, workspace by workspace. Owners may for the whole workspace; repository
 * administrators for their repositories (facts 5.1). `granted` null: unknown, so only the role decides.
 */
export async function webhooksOf(
  asker: Asker,
  seen: Seen,
  credential: { vocabulary: Vocabulary; granted: string[] | null; target: TokenTarget | undefined },
): Promise<WebhookReport[]> {
  const { vocabulary, granted, target } = credential;
  const missing = granted === null ? [] : missingScopes(vocabulary, 'webhooks', granted);
  const reports: WebhookReport[] = [];
  let asked = 0;
  for (const { slug: workspace, administrator } of seen.workspaces) {
    const report = (status: WebhookReport['status'], missing_scopes: string[] = []): void => {
      reports.push({ workspace, status, missing_scopes });
    };
    if (missing.length > 0) report('missing_scopes', missing);
    else if (administrator === true) report('allowed');
    else if (target !== undefined) report(await askHooks(asker, target));
    else {
      asked += 1;
      const some = asked <= ASKED_WORKSPACES && (await administersRepository(asker, workspace));
      report(some ? 'repositories_only' : 'not_admin');
    }
  }
  return reports;
}

/** An access token cannot ask for its rights; the list of hooks tells (facts 3.4). */
async function askHooks(asker: Asker, target: TokenTarget): Promise<WebhookReport['status']> {
  const workspace = segment(target.workspace);
  const refusals = [Forbidden, ScopeMissing, NotFound, RepositoryGone] as const;
  if (target.project === undefined && target.repository === undefined) {
    const answer = await asker.askOr<Forbidden | ScopeMissing | NotFound | RepositoryGone>(
      `/workspaces/${workspace}/hooks?pagelen=1`,
      ...refusals,
    );
    return answer instanceof Error ? 'not_admin' : 'allowed';
  }
  if (target.repository === undefined) return 'repositories_only';
  const answer = await asker.askOr<Forbidden | ScopeMissing | NotFound | RepositoryGone>(
    `/repositories/${workspace}/${segment(target.repository)}/hooks?pagelen=1`,
    ...refusals,
  );
  return answer instanceof Error ? 'not_admin' : 'repositories_only';
}
