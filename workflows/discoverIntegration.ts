import {
  CancellationScope,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Limited } from './contracts.ts';
import { clock } from './details.ts';
import { readFailure } from './failures.ts';
import { DISCOVERY_INTERRUPTED } from './findings.ts';
import { integrationWorkflowId } from './ids.ts';
import { PAUSED } from './import/paused.ts';
import type { DiscoverIntegrationInput, PauseReason } from './inputs.ts';
import { allowanceFreed, credentialRefused, setPaused } from './messages.ts';
import { bitbucketChunk, bitbucketRows } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import type { Finding } from './words.ts';

const HISTORY_LIMIT = 2_000;

/**
 * Finds the workspaces, projects and repositories that an integration's account sees.
 * Id: `integration/{integrationId}/discovery`: one at a time, a second one joins the first.
 *
 *  1. One bounded chunk after the other; each stores what it found and gives back its place.
 *  2. At a limit of Bitbucket, sleep on a timer that says until when; a signal ends it early. Paused with its integration,
 *     the chunk in hand is stopped, and read again from its place when it goes on.
 *  3. Store how it ended. A refused credential is also told to the integration, which confirms it.
 */
export async function discoverIntegration(input: DiscoverIntegrationInput): Promise<void> {
  const { organizationId, integrationId } = input;
  const ids = { organizationId, integrationId };
  let { cursor, repositories } = input.carried ?? { cursor: null, repositories: 0 };
  let freed = false;
  let paused: PauseReason | null = input.carried?.paused ?? null;
  let inHand: CancellationScope | null = null;
  setHandler(
    setPaused,
    (word) => {
      paused = word.paused ? (word.reason ?? 'integration') : null;
      if (word.paused) inHand?.cancel();
    },
    { description: 'Wait at the place in hand, or go on.' },
  );
  setHandler(allowanceFreed, () => void (freed = true), {
    description: 'End a wait for the request budget early.',
  });
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: 'discovering' },
  ]);
  setCurrentDetails(`Discovers workspaces, projects and repositories; ${repositories} repositories so far.`);
  let ended: boolean;
  try {
    ended = await walk();
  } catch (error) {
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => finish(ids, 'failed', DISCOVERY_INTERRUPTED));
      throw error;
    }
    const { type, finding } = readFailure(error);
    await finish(ids, 'failed', finding);
    if (type === 'AuthRefused' || type === 'CredentialUnusable') await tellRefused(integrationId);
    return;
  }
  if (!ended) {
    await continueAsNew<typeof discoverIntegration>({ ...input, carried: { cursor, repositories, paused } });
  }
  await finish(ids, 'done');

  /** Steps 1 and 2, until there is nothing left; false: the history is long. */
  async function walk(): Promise<boolean> {
    for (;;) {
      freed = false;
      if (paused !== null) {
        setCurrentDetails(`Discovery ${PAUSED[paused].doing}; ${repositories} repositories so far.`);
        await condition(() => paused === null);
      }
      const limited = await chunkOrLimit(chunk);
      if (limited === 'stopped') continue;
      setCurrentDetails(
        `Discovers workspaces, projects and repositories; ${repositories} repositories so far.`,
      );
      if (limited !== null) await waitUntil(limited, () => freed || paused !== null);
      else if (cursor === null) return true;
      if (isLong(input)) return false;
    }
  }

  async function chunk(): Promise<Limited | null> {
    const scope = new CancellationScope();
    inHand = scope;
    const read = await scope.run(() =>
      bitbucketChunk().discoverChunk.executeWithOptions(
        { summary: `workspaces and repositories · ${repositories} so far` },
        [{ ...ids, cursor }],
      ),
    );
    cursor = read.cursor;
    repositories += read.repositories;
    return read.limited ?? null;
  }

  /** A limit that the activity met by an error is waited for like one that it returned. */
  async function chunkOrLimit(run: () => Promise<Limited | null>): Promise<Limited | 'stopped' | null> {
    try {
      return await run();
    } catch (error) {
      // By a pause, whatever the stopped chunk says then; only the current scope ends with the discovery itself.
      const isStopped = inHand?.consideredCancelled === true;
      if (isStopped && !CancellationScope.current().consideredCancelled) return 'stopped';
      const { limited } = readFailure(error);
      if (limited === null) throw error;
      return limited;
    }
  }
}

async function waitUntil({ until, why }: Limited, woken: () => boolean): Promise<void> {
  const untilMs = Date.parse(until);
  const summary = `${why}; goes on ${clock(untilMs, Date.now())}`;
  setCurrentDetails(summary);
  await condition(woken, Math.max(1, untilMs - Date.now()), { summary });
}

const isLong = ({ historyLimit }: DiscoverIntegrationInput): boolean =>
  workflowInfo().continueAsNewSuggested || workflowInfo().historyLength > (historyLimit ?? HISTORY_LIMIT);

async function finish(
  ids: { organizationId: string; integrationId: string },
  outcome: 'done' | 'failed',
  error?: Finding,
): Promise<void> {
  await bitbucketRows().finishDiscovery.executeWithOptions({ summary: `discovery ${outcome}` }, [
    { ...ids, outcome, ...(error === undefined ? {} : { error }) },
  ]);
}

async function tellRefused(integrationId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(integrationWorkflowId(integrationId)).signal(credentialRefused, {
      at: new Date(Date.now()).toISOString(),
    });
  } catch (error) {
    log.warn('The integration could not be told that its credential was refused', { error });
  }
}
