import { NEEDS } from '../auth/scopes.ts';
import { NoCommonHistoryError, type RefRecord, UnknownRevisionError } from '../git/store.ts';
import type { Call, Route } from '../http/call.ts';
import { badRequest, commitNotFound, notFound, refuse } from '../http/errors.ts';
import type { FilterFields } from '../http/filter.ts';
import { iteratorPage, numberedPage, readPage, readPagelen, urlWith } from '../http/paging.ts';
import { htmlReply, jsonReply, type Reply, ReplyError } from '../http/reply.ts';
import type { Repository } from '../model/entities.ts';
import { type CommitWalk, createCommitWalks } from './commitWalks.ts';
import type { Host } from './host.ts';
import type { Json } from './json.ts';
import { repositoryOf } from './resolve.ts';
import { arranged } from './workspaceRoutes.ts';

const COMMITS = { fallback: 30, max: 100 } as const;
const REFS = { fallback: 10, max: 100 } as const;
const DIFFSTAT = { fallback: 500, max: 500 } as const;

const REF_FIELDS: FilterFields<RefRecord> = { name: { type: 'text', of: (ref) => ref.name } };

/** Unknown revisions become the host's 404. */
export async function orCommitNotFound<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof UnknownRevisionError) refuse(commitNotFound(error.shas));
    if (error instanceof NoCommonHistoryError) refuse(badRequest('There is no common history'));
    throw error;
  }
}

/** A missing repository on `…/commits/{rev}` answers with the web page, not JSON (facts 3.6). */
function webPage404(): Reply {
  const filler = '<div class="aui-page-panel-content"></div>\n'.repeat(500);
  return htmlReply(
    `<!DOCTYPE html>\n<html><head><title>Not found</title></head><body>\n${filler}</body></html>\n`,
    404,
  );
}

export function createCommitRoutes(host: Host): Route[] {
  const base = '/repositories/:workspace/:repository';
  const common = { needs: NEEDS.repository, group: 'repository' } as const;
  const walks = createCommitWalks();

  async function hashOf(repository: Repository, revision: string): Promise<string> {
    const commit = await host.git.commit(repository.gitKey, revision);
    return commit?.hash ?? refuse(commitNotFound([revision]));
  }

  async function begin(call: Call, repository: Repository, form: URLSearchParams): Promise<CommitWalk> {
    const all = (name: string): string[] => [...call.query.getAll(name), ...form.getAll(name)];
    const revision = call.params.revision;
    const include = await Promise.all(
      [...(revision === undefined ? [] : [revision]), ...all('include')].map((rev) =>
        hashOf(repository, rev),
      ),
    );
    const exclude = await Promise.all(all('exclude').map((rev) => hashOf(repository, rev)));
    if (include.length === 0) {
      for (const ref of await host.git.refs(repository.gitKey)) include.push(ref.target);
    }
    return { include: [...new Set(include)], exclude, path: all('path')[0] };
  }

  /** `q` and `sort` are silently ignored (facts 3.3). */
  async function listCommits(call: Call): Promise<Reply> {
    const repository = repositoryOf(host, call);
    const form = new URLSearchParams(call.method === 'POST' ? await call.body() : '');
    const pagelen = readPagelen(call.query, COMMITS);
    const context = call.query.get('ctx');
    const walk =
      context === null ? await begin(call, repository, form) : walks.load(repository.uuid, context);
    if (walk === undefined) return refuse(badRequest('Invalid page'));
    const page = readPage(call.query, COMMITS).page;
    if (walk.include.length === 0) return jsonReply(iteratorPage(pagelen, [], null));
    const commits = await orCommitNotFound(
      host.git.commits(repository.gitKey, {
        include: walk.include,
        exclude: walk.exclude,
        ...(walk.path === undefined ? {} : { path: walk.path }),
        skip: (page - 1) * pagelen,
        limit: pagelen + 1,
      }),
    );
    const values = commits.slice(0, pagelen).map((commit) => host.commits.commit(repository, commit, false));
    const next =
      commits.length > pagelen
        ? urlWith(call.base, call.query, {
            include: null,
            exclude: null,
            path: null,
            ctx: walks.save(repository.uuid, walk),
            page: String(page + 1),
          })
        : null;
    return jsonReply(iteratorPage(pagelen, values, next));
  }

  async function listCommitsOf(call: Call): Promise<Reply> {
    try {
      return await listCommits(call);
    } catch (error) {
      const missing = error instanceof ReplyError && error.reply.status === 404;
      if (missing && !error.reply.body.includes('Commit not found')) return webPage404();
      throw error;
    }
  }

  async function refs(call: Call, kind: RefRecord['kind'] | undefined): Promise<Json> {
    const repository = repositoryOf(host, call);
    const all = (await host.git.refs(repository.gitKey)).filter(
      (ref) => kind === undefined || ref.kind === kind,
    );
    const list = arranged(call, all, REF_FIELDS);
    const request = readPage(call.query, REFS);
    const start = (request.page - 1) * request.pagelen;
    const targets = await Promise.all(
      list.slice(start, start + request.pagelen).map((ref) => host.git.commit(repository.gitKey, ref.target)),
    );
    return numberedPage({
      base: call.base,
      query: call.query,
      request,
      size: list.length,
      withoutSize: kind === 'tag',
      render(index) {
        const ref = list[index];
        return ref === undefined ? 'null' : host.commits.ref(repository, ref, targets[index - start]);
      },
    });
  }

  async function oneRef(call: Call, kind: RefRecord['kind']): Promise<Reply> {
    const repository = repositoryOf(host, call);
    const name = call.params.name ?? '';
    const ref = (await host.git.refs(repository.gitKey)).find(
      (entry) => entry.kind === kind && entry.name === name,
    );
    if (ref === undefined)
      return refuse(notFound(`${kind === 'branch' ? 'Branch' : 'Tag'} "${name}" not found`));
    const target = await host.git.commit(repository.gitKey, ref.target);
    return jsonReply(host.commits.ref(repository, ref, target));
  }

  async function diffstat(call: Call): Promise<Reply> {
    const repository = repositoryOf(host, call);
    // Pull requests redirect to `workspace/repository:source CR destination` (facts 3.7).
    const spec = (call.params.spec ?? '').replace(/^[^:]*:/, '').replace('\r', '..');
    const request = readPage(call.query, DIFFSTAT);
    const path = call.query.get('path');
    const [to = spec, from = ''] = spec.split('..');
    const result = await orCommitNotFound(
      host.git.diffstat(repository.gitKey, spec, {
        skip: (request.page - 1) * request.pagelen,
        limit: request.pagelen,
        ...(path === null ? {} : { path }),
        topic: call.query.get('topic') !== 'false',
        renames: call.query.get('renames') !== 'false',
        ignoreWhitespace: call.query.get('ignore_whitespace') === 'true',
      }),
    );
    const start = (request.page - 1) * request.pagelen;
    return jsonReply(
      numberedPage({
        base: call.base,
        query: call.query,
        request,
        size: result.size,
        render(index) {
          const row = result.rows[index - start];
          return row === undefined ? 'null' : host.commits.diffstat(repository, { from, to }, row);
        },
      }),
    );
  }

  async function oneCommit(call: Call): Promise<Reply> {
    const repository = repositoryOf(host, call);
    const revision = call.params.revision ?? '';
    const commit = await host.git.commit(repository.gitKey, revision);
    return jsonReply(host.commits.commit(repository, commit ?? refuse(commitNotFound([revision])), true));
  }

  return [
    { ...common, method: 'GET', path: `${base}/commits`, handle: listCommits },
    { ...common, method: 'POST', path: `${base}/commits`, handle: listCommits },
    { ...common, method: 'GET', path: `${base}/commits/*revision`, handle: listCommitsOf },
    { ...common, method: 'POST', path: `${base}/commits/*revision`, handle: listCommitsOf },
    { ...common, method: 'GET', path: `${base}/commit/:revision`, handle: oneCommit },
    {
      ...common,
      method: 'GET',
      path: `${base}/refs`,
      handle: async (call) => jsonReply(await refs(call, undefined)),
    },
    {
      ...common,
      method: 'GET',
      path: `${base}/refs/branches`,
      handle: async (call) => jsonReply(await refs(call, 'branch')),
    },
    {
      ...common,
      method: 'GET',
      path: `${base}/refs/tags`,
      handle: async (call) => jsonReply(await refs(call, 'tag')),
    },
    {
      ...common,
      method: 'GET',
      path: `${base}/refs/branches/*name`,
      handle: (call) => oneRef(call, 'branch'),
    },
    { ...common, method: 'GET', path: `${base}/refs/tags/*name`, handle: (call) => oneRef(call, 'tag') },
    { ...common, method: 'GET', path: `${base}/diffstat/*spec`, handle: diffstat },
  ];
}
