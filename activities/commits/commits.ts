import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Database, Transaction } from '../../db/client.ts';
import type { StoredCheckpoint } from '../../db/queries/checkpoints.ts';
import { type GitTarget, readGitTarget } from '../../db/queries/gitTargets.ts';
import type { ChunkResult, StreamActivities } from '../../workflows/contracts/streams.ts';
import type { OfRepository } from '../../workflows/contracts/tenant.ts';
import type { Finding, ImportMode, Stream } from '../../workflows/words.ts';
import { type Asker, askerOf } from '../bitbucket/asker.ts';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { AuthRefused, BitbucketError, RateLimited, RepositoryGone } from '../bitbucket/errors.ts';
import type { RequestGate } from '../bitbucket/requestGate.ts';
import { advance, markStream, openStream, SwitchedOff } from '../streams/checkpoint.ts';
import type { CredentialStore } from '../credentials/credentialStore.ts';
import type { GitCredential } from '../credentials/sealedSecrets.ts';
import type { CloneFolder } from '../git/cloneFolder.ts';
import { DiskFull, FilesRefused, GitUnclear, readGitFailure } from '../git/failures.ts';
import { type CheckpointStep, importCommits } from '../git/importCommits.ts';
import { storeRefs } from '../git/storeRefs.ts';
import { createMirror, type Remote } from '../git/mirror.ts';
import { gitOperation } from '../git/gitOperation.ts';
import { createGit } from '../git/process.ts';
import { type Refs, readRefs } from '../git/refs.ts';
import { sharesNothing } from '../git/sharesNothing.ts';
import { TooLarge } from '../git/tooLarge.ts';
import { type Memory, memorySchema, positionSchema, type WalkState } from '../git/walk.ts';
import { PageRefused } from '../streams/pageRefused.ts';
import { linkBehindCommits } from '../pullRequestCommits/linkBehindCommits.ts';
import { Replaced } from '../streams/replaced.ts';
import { isShown } from '../discovery/storeByUuid.ts';
import { mustBeNamed } from './nameOfClone.ts';
import { workflowId } from '../workflowId.ts';

export interface GitActivitiesDependencies {
  database: Database;
  gate: RequestGate;
  credentials: Pick<CredentialStore, 'ofIntegration' | 'gitCredential' | 'renew' | 'renewalDidNotHelp'>;
  /** base of the clone addresses, e.g. `https://bitbucket.org` */
  webUrl: string;
  /** a folder of the worker's own; what lies there may be lost at any time */
  cloneFolder: string;
  /** the clones in it */
  clones: CloneFolder;
  client: BitbucketClient;
}

/** `readFirst`: reads the first page of the API, which may name the repository before its name is looked up. */
export type ImportGit = (
  input: Parameters<StreamActivities['importGit']>[0],
  readFirst?: () => Promise<void>,
) => Promise<ChunkResult>;

type GitInput = OfRepository & { importId: string; mode: ImportMode };
type OpenedStreams = Record<'refs' | 'commits', StoredCheckpoint>;

const HEARTBEAT_MS = 2_000;
/** No word from git and no page stored for so long: the attempt hangs, and Temporal should give up on it. */
const SILENCE_MS = 15 * 60_000;

/** Branches, tags and commits, from git. */
export function createGitActivities(dependencies: GitActivitiesDependencies): { importGit: ImportGit } {
  const { database, gate, webUrl, cloneFolder, clones, client } = dependencies;
  const { origin, protocol } = new URL(webUrl);
  const home = join(cloneFolder, 'home');
  const git = createGit({ home, protocols: [protocol === 'http:' ? 'http' : 'https'] });
  const mirror = createMirror({ git, clones });

  /**
   * Brings in what git knows of a repository: clones or fetches, stores the commits that are not stored yet
   * page by page with their checkpoint, then branches and tags as a set; where that is all that is read, links pull
   * requests that waited for their merge commit. Ends git at once when cancelled; the
   * next attempt, on any worker, goes on from the checkpoint. Where it is not under its name any more, it is asked for by
   * its uuid, and read under the name that it has now. The first time nothing that was completed earlier says whose clone it
   * is: the first page of the API does (`readFirst`), or its name is looked up. Switched off meanwhile, it is done. Throws the errors of `bitbucket/errors.ts`,
   * DiskFull, FilesRefused, PageRefused, and Fenced.
   */
  async function importGit(input: GitInput, readFirst?: () => Promise<void>): Promise<ChunkResult> {
    // Before the first statement: opening a stream may wait for the locks of a worker that froze.
    const pulse = startPulse();
    try {
      const result = await readRepository(input, { pulse, readFirst });
      if (result.done) {
        const onProgress = () => pulse.show({});
        await linkBehindCommits({ database, scope: input, signal: cancellationSignal(), onProgress });
      }
      return result;
    } catch (error) {
      if (error instanceof SwitchedOff) return { done: true, stream: null, requests: 0, records: 0 };
      throw error;
    } finally {
      pulse.stop();
    }
  }

  /** `found`: it was just asked for by its uuid, and is here. */
  async function readRepository(input: GitInput, reading: Reading, found?: GitTarget): Promise<ChunkResult> {
    const { pulse } = reading;
    const signal = cancellationSignal();
    const target = found ?? (await findTarget(input));
    const asker = askerOf(target.kind, input.importId, workflowId());
    let streams = await openStreams(input);
    let hasBegun = false;
    try {
      await mkdir(home, { recursive: true, mode: 0o700 });
      const records = await signedIn(target, input, (remote, accountKey) =>
        mirror.withMirror({
          contact: (run) => gitOperation(gate, { accountKey, asker, signal }, run),
          repositoryId: input.repositoryId,
          epoch: streams.commits.epoch,
          remote,
          expectedBytes: target.sizeBytes ?? 0,
          signal,
          onLine: (line) => pulse.show({ git: line }),
          work: async (folder) => {
            // On a clone that was made anew for damage met on the way: the walk stands further on than it did.
            if (hasBegun) streams = await openStreams(input);
            hasBegun = true;
            const snapshot = await readRefs(git, folder, signal);
            if (found === undefined) {
              const { completed, left } = memoryOf(streams.commits);
              const place = { git, folder, signal };
              if (await sharesNothing(place, completed, snapshot.heads)) throw new Replaced(target.fullName);
              if (completed.length === 0 && snapshot.heads.length + left.length > 0)
                await mustBeNamed(dependencies, input, { target, asker, readFirst: reading.readFirst });
            }
            return importFrom({ folder, snapshot }, input, target, streams, pulse);
          },
        }),
      );
      return { done: true, stream: null, requests: 0, records };
    } catch (error) {
      let failure = readGitFailure(error, target.fullName);
      if (found === undefined && isElsewhere(failure)) {
        try {
          const now = await findAnew(input, target, asker);
          // What answers under this name is it after all: all of its history was written anew.
          const isHere = now?.fullName === target.fullName && failure instanceof Replaced;
          if (now !== undefined && (isHere || now.fullName !== target.fullName))
            return await readRepository(input, reading, now);
        } catch (otherwise) {
          failure = otherwise;
        }
      }
      await recordFailure(input, streams, failure);
      if (!(failure instanceof RateLimited)) throw failure;
      const limited = { until: failure.until, why: failure.why };
      return { done: false, stream: 'commits', requests: 0, records: pulse.records(), limited };
    }
  }

  async function openStreams(input: GitInput): Promise<OpenedStreams> {
    const refs = await openStream(database, { ...input, stream: 'refs' });
    const commits = await openStream(database, { ...input, stream: 'commits' });
    return { refs, commits };
  }

  async function importFrom(
    { folder, snapshot }: { folder: string; snapshot: Refs },
    input: GitInput,
    target: GitTarget,
    streams: OpenedStreams,
    pulse: Pulse,
  ): Promise<number> {
    const signal = cancellationSignal();
    const { commits } = streams;
    const stream = { ...input, stream: 'commits' as const, epoch: commits.epoch };
    if (!positionSchema.nullable().safeParse(commits.position).success) {
      // The walk in hand is one over the API, begun for an integration that wants no clones.
      await database.transaction(input.organizationId, (tx) =>
        advance(tx, { ...stream, expectedPosition: commits.position, position: null }),
      );
      commits.position = null;
    }
    const stored = await importCommits({
      ...input,
      database,
      git,
      folder,
      signal,
      heads: snapshot.heads,
      state: readState(commits),
      advance: (tx, step) => advance(tx, { ...stream, ...positions(step) }),
      onProgress: (records) => pulse.show({ records }),
    });
    await database.transaction(input.organizationId, (tx) =>
      markStream(tx, stream, { state: 'healthy', error: null }),
    );
    const refsStored = await storeRefs(database, {
      ...input,
      checkpoint: streams.refs,
      refs: snapshot,
      observedAt: target.observedAt,
    });
    return stored + refsStored;
  }

  /** Where it is now, by its uuid; nothing: it is not to be seen. */
  async function findAnew(input: GitInput, target: GitTarget, asker: Asker): Promise<GitTarget | undefined> {
    const { organizationId, integrationId } = input;
    const credential = await dependencies.credentials.ofIntegration(input);
    const request = { credential, signal: cancellationSignal(), asker };
    const integration = { organizationId, integrationId };
    const isThere = await isShown({ database, client, integration, request }, target.providerUuid);
    return isThere ? findTarget(input) : undefined;
  }

  async function findTarget(input: GitInput): Promise<GitTarget> {
    const target = await database.read(input.organizationId, (tx) => readGitTarget(tx, input));
    if (target !== undefined) return target;
    throw new RepositoryGone({
      finding: {
        code: 'repository_removed',
        message: 'The repository was removed here while it was imported.',
        remedy: 'Nothing to do, or run discover to bring it back.',
      },
    });
  }

  /** Like the API client: an OAuth token that ended before its time is renewed once, then asked with again. */
  async function signedIn<T>(
    target: GitTarget,
    input: GitInput,
    work: (remote: Remote, accountKey: string) => Promise<T>,
  ): Promise<T> {
    const { credentials } = dependencies;
    const signal = cancellationSignal();
    const credential = await credentials.ofIntegration(input);
    const path = target.fullName.split('/').map(encodeURIComponent).join('/');
    const refusesLogin = (error: unknown): boolean =>
      readGitFailure(error, target.fullName) instanceof AuthRefused;
    const attempt = ({ username, password, accountKey }: GitCredential & { accountKey: string }) =>
      work({ url: `${webUrl}/${path}.git`, login: { username, password, origin } }, accountKey);
    const login = await credentials.gitCredential(credential, signal);
    try {
      return await attempt(login);
    } catch (error) {
      if (!refusesLogin(error)) throw error;
      if (!(await credentials.renew(credential, login.version, signal))) throw error;
      const renewed = await credentials.gitCredential(credential, signal);
      return await attempt(renewed).catch((again: unknown) => {
        if (refusesLogin(again)) credentials.renewalDidNotHelp(credential, renewed.version);
        throw again;
      });
    }
  }

  /** What lasts until somebody does something, and a limit, are states of both streams; the rest passes. */
  async function recordFailure(input: GitInput, streams: OpenedStreams, failure: unknown): Promise<void> {
    const state = stateAfter(failure);
    if (state === undefined) return;
    await database.transaction(input.organizationId, async (tx: Transaction) => {
      for (const stream of ['commits', 'refs'] satisfies Stream[]) {
        await markStream(tx, { ...input, stream, epoch: streams[stream].epoch }, state);
      }
    });
  }

  return { importGit };
}

/** A renamed repository answers by a redirect, one of another workspace as one that is gone (facts 4.4). */
const isElsewhere = (failure: unknown): boolean =>
  failure instanceof RepositoryGone ||
  (failure instanceof BitbucketError && failure.finding.code === 'git_redirected');

/** One 401 proves nothing (it may be a brownout) and an outage passes: neither is a failure of the stream. */
function stateAfter(failure: unknown): { state: 'rate_limited' | 'failed'; error: Finding } | undefined {
  if (
    failure instanceof DiskFull ||
    failure instanceof FilesRefused ||
    failure instanceof GitUnclear ||
    failure instanceof PageRefused ||
    failure instanceof TooLarge
  )
    return { state: 'failed', error: failure.finding };
  if (!(failure instanceof BitbucketError)) return undefined;
  const { retry, finding, type } = failure;
  if (retry.kind === 'later') return { state: 'rate_limited', error: finding };
  const passes = retry.kind === 'always' || type === 'AuthRefused' || type === 'CredentialUnusable';
  return passes ? undefined : { state: 'failed', error: finding };
}

/** The stored checkpoint in our shape. Its schema is ours, so another shape is a bug, not a state. */
function readState(checkpoint: StoredCheckpoint): WalkState {
  return {
    position: positionSchema.nullable().parse(checkpoint.position),
    memory: memoryOf(checkpoint),
  };
}

const memoryOf = ({ memory }: StoredCheckpoint): Memory => memorySchema.parse(memory ?? {});

function positions({ from, to, progress }: CheckpointStep) {
  return {
    expectedPosition: from.position,
    position: to.position,
    // long lists of heads are written only where they change
    ...(to.memory === from.memory ? {} : { memory: to.memory }),
    progress,
  };
}

interface Reading {
  pulse: Pulse;
  readFirst: (() => Promise<void>) | undefined;
}

interface Pulse {
  show(part: { git?: string; records?: number }): void;
  records(): number;
  stop(): void;
}

/** Heartbeats with what an operator wants to see; they also bring cancellation. */
function startPulse(): Pulse {
  let shown: { git?: string; records?: number } = {};
  let lastSign = performance.now();
  const beat = () => {
    if (performance.now() - lastSign < SILENCE_MS) heartbeat(shown);
  };
  beat();
  const timer = setInterval(beat, HEARTBEAT_MS);
  return {
    show(part) {
      shown = { ...shown, ...part };
      lastSign = performance.now();
    },
    records: () => shown.records ?? 0,
    stop: () => clearInterval(timer),
  };
}
