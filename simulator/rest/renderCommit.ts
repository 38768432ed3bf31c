import type { CommitRecord, DiffstatRecord, GitSignature, RefRecord } from '../git/store.ts';
import { fullName, type Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import { escapeHtml, type Json, quote } from './json.ts';
import type { RenderPeople } from './renderPeople.ts';
import type { RenderRepository } from './renderRepository.ts';
import type { Urls } from './urls.ts';

export interface RenderCommit {
  /** `whole` adds what only a single commit has. */
  commit(repository: Repository, commit: CommitRecord, whole: boolean): Json;
  ref(repository: Repository, ref: RefRecord, target: CommitRecord | undefined): Json;
  /** As webhooks show it (facts 3.6, 5.4): an empty committer, no repository. */
  eventCommit(repository: Repository, commit: CommitRecord): Json;
  /** A branch or tag in the changes of a push. */
  eventRef(repository: Repository, ref: RefRecord, target: CommitRecord | undefined): Json;
  diffstat(repository: Repository, sides: { from: string; to: string }, row: DiffstatRecord): Json;
}

export function createRenderCommit(
  urls: Urls,
  people: RenderPeople,
  repositories: RenderRepository,
  personByEmail: (email: string) => Person | undefined,
): RenderCommit {
  const api = (repository: Repository): string => `${urls.api}/repositories/${fullName(repository)}`;
  const web = (repository: Repository): string => `${urls.web}/${fullName(repository)}`;
  const href = (url: string): Json => `{"href":${quote(url)}}`;

  /** Without `user` where the e-mail maps to no account (facts 3.6). */
  function author(signature: GitSignature): Json {
    const person = personByEmail(signature.email);
    const user = person === undefined ? '' : `,"user":${people.person(person)}`;
    return `{"type":"author","raw":${quote(`${signature.name} <${signature.email}>`)}${user}}`;
  }

  function message(text: string): Json {
    const html = text === '' ? '' : `<p>${escapeHtml(text.trimEnd())}</p>`;
    return `{"type":"rendered","raw":${quote(text)},"markup":"markdown","html":${quote(html)}}`;
  }

  function links(repository: Repository, hash: string): Json {
    const self = `${api(repository)}/commit/${hash}`;
    return `{"self":${href(self)},"html":${href(`${web(repository)}/commits/${hash}`)},"diff":${href(`${api(repository)}/diff/${hash}`)},"approve":${href(`${self}/approve`)},"comments":${href(`${self}/comments`)},"statuses":${href(`${self}/statuses`)},"patch":${href(`${api(repository)}/patch/${hash}`)}}`;
  }

  function parents(repository: Repository, commit: CommitRecord): Json {
    const list = commit.parents.map(
      (hash) =>
        `{"hash":"${hash}","links":{"self":${href(`${api(repository)}/commit/${hash}`)},"html":${href(`${web(repository)}/commits/${hash}`)}},"type":"commit"}`,
    );
    return `[${list.join(',')}]`;
  }

  function commitJson(repository: Repository, commit: CommitRecord, whole: boolean): Json {
    const text = message(commit.message);
    const extra = whole ? ',"participants":[]' : '';
    return `{"type":"commit","hash":"${commit.hash}","date":"${commit.author.date}","author":${author(commit.author)},"message":${quote(commit.message)},"summary":${text},"links":${links(repository, commit.hash)},"parents":${parents(repository, commit)},"rendered":{"message":${text}},"repository":${repositories.short(repository)}${extra}}`;
  }

  function eventCommit(repository: Repository, commit: CommitRecord): Json {
    const text = message(commit.message);
    return `{"type":"commit","hash":"${commit.hash}","date":"${commit.author.date}","author":${author(commit.author)},"committer":{},"message":${quote(commit.message)},"summary":${text},"links":${links(repository, commit.hash)},"parents":${parents(repository, commit)},"rendered":{},"properties":{}}`;
  }

  function refHead(repository: Repository, ref: RefRecord, target: Json): Json {
    const kind = ref.kind === 'branch' ? 'branches' : 'tags';
    const name = encodeURIComponent(ref.name);
    const page = ref.kind === 'branch' ? `branch/${name}` : `commits/tag/${name}`;
    const linked = `{"self":${href(`${api(repository)}/refs/${kind}/${name}`)},"commits":${href(`${api(repository)}/commits/${name}`)},"html":${href(`${web(repository)}/${page}`)}}`;
    return `"type":"${ref.kind}","name":${quote(ref.name)},"target":${target},"links":${linked}`;
  }

  const STRATEGIES =
    '"merge_strategies":["merge_commit","squash","fast_forward"],"default_merge_strategy":"merge_commit"';

  const tagTail = (ref: RefRecord): Json =>
    `"message":${quote(ref.message)},"date":${quote(ref.date)},"tagger":${ref.tagger === null ? 'null' : author(ref.tagger)}`;

  function file(repository: Repository, hash: string, path: string | null): Json {
    if (path === null) return 'null';
    const escaped = path.split('/').map(encodeURIComponent).join('/');
    return `{"path":${quote(path)},"type":"commit_file","escaped_path":${quote(escaped)},"links":{"self":${href(`${api(repository)}/src/${hash}/${escaped}`)}}}`;
  }

  return {
    commit: commitJson,
    eventCommit,
    ref(repository, ref, target) {
      const shown = target === undefined ? 'null' : commitJson(repository, target, false);
      const tail = ref.kind === 'branch' ? STRATEGIES : tagTail(ref);
      return `{${refHead(repository, ref, shown)},${tail}}`;
    },
    eventRef(repository, ref, target) {
      const shown = target === undefined ? 'null' : eventCommit(repository, target);
      const tail =
        ref.kind === 'branch' ? `${STRATEGIES},"sync_strategies":["merge_commit","rebase"]` : tagTail(ref);
      return `{${refHead(repository, ref, shown)},${tail}}`;
    },
    diffstat(repository, { from, to }, row) {
      return `{"type":"diffstat","lines_added":${row.linesAdded},"lines_removed":${row.linesRemoved},"status":"${row.status}","old":${file(repository, from, row.oldPath)},"new":${file(repository, to, row.newPath)}}`;
    },
  };
}
