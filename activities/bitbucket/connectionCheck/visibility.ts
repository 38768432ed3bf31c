import { z } from 'zod';
import {
  FeatureGone,
  Forbidden,
  NotFound,
  RepositoryGone,
  ScopeMissing,
  type BitbucketError,
} from '../errors.ts';
import { readPage } from '../paging.ts';
import { parseRecords } from '../records.ts';
import { workspaceAccessSchema } from '../schemas.ts';
import { unreadable } from '../readJson.ts';
import type { Asker } from './ask.ts';
import { repositoriesPath, segment, type TokenTarget } from './target.ts';

/** One repository to try requests on. */
export interface SampleRepository {
  fullName: string;
  hasIssues: boolean | null;
}

export interface SeenWorkspace {
  slug: string;
  /** null: an access token, which cannot ask */
  administrator: boolean | null;
}

export interface Seen {
  workspaces: SeenWorkspace[];
  projects: number | null;
  repositories: number;
  complete: boolean;
  sample: SampleRepository | undefined;
}

/** Beyond this many workspaces repositories are not counted: a check makes few requests. */
const COUNTED_WORKSPACES = 20;

const sampleSchema = z.object({ full_name: z.string(), has_issues: z.boolean().nullish() });
const FIELDS = 'fields=size,values.full_name,values.has_issues,values.uuid';

/** What a user's credential sees. Throws ScopeMissing when it may not list workspaces. */
export async function seenByUser(asker: Asker): Promise<Seen> {
  const path = '/user/workspaces';
  const page = readPage(await asker.ask(`${path}?pagelen=100`), path);
  const { records, rejected } = parseRecords(workspaceAccessSchema, page.values);
  if (records.length === 0 && rejected.length > 0) throw unreadable(path, 'lists no readable workspace');
  const workspaces = records.map(({ value }) => ({
    slug: value.workspace.slug,
    administrator: value.administrator,
  }));
  const counted = workspaces.slice(0, COUNTED_WORKSPACES);
  const seen: Seen = {
    workspaces,
    projects: 0,
    repositories: 0,
    complete: page.next === null && counted.length === workspaces.length,
    sample: undefined,
  };
  for (const { slug } of counted) {
    await countRepositories(asker, seen, { workspace: slug });
    if (seen.projects !== null) await countProjects(asker, seen, slug);
  }
  return seen;
}

/** What an access token sees: it starts at its workspace, project or repository. */
export async function seenByToken(asker: Asker, target: TokenTarget): Promise<Seen> {
  const seen: Seen = {
    workspaces: [{ slug: target.workspace, administrator: null }],
    projects: null,
    repositories: 0,
    complete: true,
    sample: undefined,
  };
  await countRepositories(asker, seen, target);
  if (target.project !== undefined) {
    const path = `/workspaces/${segment(target.workspace)}/projects/${segment(target.project)}`;
    const answer = await orNothing(asker, path);
    seen.projects = answer === undefined ? null : 1;
  } else if (target.repository === undefined) {
    seen.projects = 0;
    await countProjects(asker, seen, target.workspace);
  }
  return seen;
}

async function orNothing(asker: Asker, path: string) {
  const answer = await asker.askOr<BitbucketError>(
    path,
    ScopeMissing,
    Forbidden,
    NotFound,
    RepositoryGone,
    FeatureGone,
  );
  return answer instanceof Error ? undefined : answer;
}

async function countRepositories(asker: Asker, seen: Seen, target: TokenTarget): Promise<void> {
  const single = target.repository !== undefined;
  const answer = await orNothing(asker, repositoriesPath(target, `pagelen=1&${FIELDS}`));
  if (answer === undefined) return;
  const { values, size } = single ? { values: [answer.json], size: 1 } : readPage(answer, '/repositories');
  seen.repositories += size ?? values.length;
  const sample = sampleSchema.safeParse(values[0]);
  if (!sample.success) return;
  const found = { fullName: sample.data.full_name, hasIssues: sample.data.has_issues ?? null };
  if (seen.sample === undefined || (seen.sample.hasIssues !== true && found.hasIssues === true)) {
    seen.sample = found;
  }
}

async function countProjects(asker: Asker, seen: Seen, workspace: string): Promise<void> {
  const path = `/workspaces/${segment(workspace)}/projects`;
  const answer = await orNothing(asker, `${path}?pagelen=1&fields=size,values.uuid`);
  if (answer === undefined) {
    seen.projects = null;
    return;
  }
  const page = readPage(answer, path);
  seen.projects = (seen.projects ?? 0) + (page.size ?? page.values.length);
}

/** Whether the account administers at least one repository of the workspace. */
export async function administersRepository(asker: Asker, workspace: string): Promise<boolean> {
  const path = `/repositories/${segment(workspace)}?role=admin&pagelen=1&fields=size,values.uuid`;
  const answer = await orNothing(asker, path);
  if (answer === undefined) return false;
  return readPage(answer, path).values.length > 0;
}
