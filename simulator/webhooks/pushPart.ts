import type { RepositoryChanged } from '../git/repositoryChange.ts';
import type { CommitRecord, RefRecord } from '../git/store.ts';
import { fullName, type Repository } from '../model/entities.ts';
import type { Host } from '../rest/host.ts';
import { type Json, quote } from '../rest/json.ts';

/** A push names its newest commits only, and says when there are more (facts 5.4). */
const COMMITS_TOLD = 5;

type ChangedRef = RepositoryChanged['refs'][number];

/** The `push` of a `repo:push`: one change a branch or tag. */
export async function pushPart(host: Host, repository: Repository, refs: ChangedRef[]): Promise<Json> {
  const changes: Json[] = [];
  for (const ref of refs) changes.push(await change(host, repository, ref));
  return `{"changes":[${changes.join(',')}]}`;
}

async function change(host: Host, repository: Repository, ref: ChangedRef): Promise<Json> {
  const { kind, before, after, forced } = ref;
  const sides = `"old":${await side(host, repository, ref, before)},"new":${await side(host, repository, ref, after)}`;
  const flags = `"created":${before === null},"closed":${after === null},"forced":${forced}`;
  // A deleted ref has neither links nor commits, a tag no commits (facts 5.4 and the recordings).
  if (after === null) return `{${sides},${flags},"truncated":false}`;
  const links = `"links":${linksOf(host, repository, ref.name, { before, after, kind })}`;
  if (kind === 'tag') return `{${sides},${links},${flags},"truncated":false}`;
  const newest = await newestCommits(host, repository, before, after);
  const shown = newest.slice(0, COMMITS_TOLD).map((commit) => host.commits.eventCommit(repository, commit));
  const truncated = newest.length > COMMITS_TOLD;
  return `{${sides},${links},${flags},"truncated":${truncated},"commits":[${shown.join(',')}]}`;
}

async function side(host: Host, repository: Repository, ref: ChangedRef, hash: string | null): Promise<Json> {
  if (hash === null) return 'null';
  const target = await host.git.commit(repository.gitKey, hash);
  const { kind, name } = ref;
  const gone: RefRecord = {
    kind,
    name,
    target: hash,
    annotated: false,
    message: null,
    tagger: null,
    date: null,
  };
  const known = (await host.git.refs(repository.gitKey)).find(
    (entry) => entry.kind === kind && entry.name === name && entry.target === hash,
  );
  return host.commits.eventRef(repository, known ?? gone, target);
}

/** One more than is told, newest first. Of a new branch: whatever it leads to, as recorded. */
function newestCommits(
  host: Host,
  repository: Repository,
  before: string | null,
  after: string,
): Promise<CommitRecord[]> {
  const exclude = before === null ? [] : [before];
  return host.git.commits(repository.gitKey, {
    include: [after],
    exclude,
    skip: 0,
    limit: COMMITS_TOLD + 1,
  });
}

function linksOf(
  host: Host,
  repository: Repository,
  name: string,
  { before, after, kind }: { before: string | null; after: string; kind: ChangedRef['kind'] },
): Json {
  const api = `${host.urls.api}/repositories/${fullName(repository)}`;
  const web = `${host.urls.web}/${fullName(repository)}`;
  const href = (url: string): Json => `{"href":${quote(url)}}`;
  if (before === null) {
    const commits = `"commits":${href(`${api}/commits?include=${after}`)}`;
    if (kind === 'tag') return `{${commits}}`;
    return `{${commits},"html":${href(`${web}/branch/${encodeURIComponent(name)}`)}}`;
  }
  return `{"commits":${href(`${api}/commits?include=${after}&exclude=${before}`)},"html":${href(`${web}/branches/compare/${after}..${before}`)},"diff":${href(`${api}/diff/${after}..${before}`)}}`;
}
