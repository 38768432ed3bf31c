import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { activityInfo } from '@temporalio/activity';
import { ActivityNotFoundError, type Client, isGrpcServiceError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker';
import { z } from 'zod';
import { createOwner } from '../activities/git/owner.ts';
import type { Logger } from '../platform/log.ts';
import { WORKER_LOST } from '../workflows/failures.ts';
import { WORKER_GONE } from '../workflows/findings.ts';

export interface AttemptsInHandOptions {
  /** a folder of the worker's own, as that of its clones; may be lost at any time, and shared with other workers */
  folder: string;
  client: Client;
  log: Logger;
  /** only an attempt that lasts so long is noted; default 20 ms */
  noteAfterMs?: number;
}

export interface AttemptsInHand {
  /** Around every activity: notes the attempt as long as it is in hand. */
  readonly interceptor: ActivityInboundCallsInterceptor;
  /** Gives back to Temporal what dead workers of this machine had in hand. Never rejects: heartbeats tell it too, later. */
  giveBackLost(): Promise<void>;
}

/** One that only writes rows is over by then; a chunk of an import lasts a second and more. */
const NOTE_AFTER_MS = 20;
/** No attempt lasts longer (`workflows/policies.ts`): a note of another machine, or of a container that is no more, is over. */
const OVER_AFTER_MS = 24 * 60 * 60_000;

/** The code of grpc with which Temporal says that no such workflow runs. */
const NOT_FOUND = 5;

const noteSchema = z.object({ taskToken: z.base64(), workflowId: z.string() });
type Note = z.infer<typeof noteSchema>;

/**
 * Temporal notices a worker that was killed by heartbeats that stay away for ten seconds. The one that is started in its
 * place knows sooner: its predecessor's process is gone. So each attempt in hand is noted in a file that has its process
 * in the name (`<owner>.<id>`), and whoever starts ends those of dead processes, which are then tried again at once. It
 * is a shortcut only: an attempt without a note, or with one that nobody finds, is noticed by its heartbeats as before.
 */
export function createAttemptsInHand(options: AttemptsInHandOptions): AttemptsInHand {
  const { client, log, noteAfterMs = NOTE_AFTER_MS } = options;
  const folder = join(options.folder, 'attempts');
  const owner = createOwner();
  let made: Promise<unknown> | undefined;

  /** Answers how to take the note away. */
  function note(): () => Promise<void> {
    const { base64TaskToken: taskToken, workflowExecution, isLocal } = activityInfo();
    // A local one is its workflow task's, and has no token that the server knows.
    if (workflowExecution === undefined || isLocal) return async () => {};
    const path = join(folder, `${owner.me}.${randomUUID()}`);
    const { workflowId } = workflowExecution;
    let written: Promise<void> | undefined;
    const timer = setTimeout(() => {
      written = write(path, { taskToken, workflowId });
    }, noteAfterMs);
    return async () => {
      clearTimeout(timer);
      if (written === undefined) return;
      await written;
      await rm(path, { force: true });
    };
  }

  async function write(path: string, content: Note): Promise<void> {
    try {
      made ??= mkdir(folder, { recursive: true, mode: 0o700 });
      await made;
      await writeFile(path, JSON.stringify(content), { mode: 0o600 });
    } catch (error) {
      made = undefined;
      log.warn({ error }, 'An activity in hand could not be noted: should this worker die, that shows later');
    }
  }

  async function giveBackLost(): Promise<void> {
    const names = await readdir(folder).catch(() => []);
    const given = await Promise.all(
      names.map((name) =>
        lookInto(name).catch((error: unknown) => {
          log.warn({ error }, 'What a dead worker had in hand is left to its heartbeat timeout');
          return false;
        }),
      ),
    );
    const count = given.filter(Boolean).length;
    if (count > 0) log.info({ attempts: count }, 'A worker was killed: what it had in hand is tried again');
  }

  /** True: the note was of a dead worker, and its attempt is given back. */
  async function lookInto(name: string): Promise<boolean> {
    const path = join(folder, name);
    const state = owner.state(name.split('.')[0] ?? '');
    if (state === 'elsewhere') {
      const { mtimeMs } = await stat(path);
      if (mtimeMs < Date.now() - OVER_AFTER_MS) await rm(path, { force: true });
    }
    if (state !== 'dead') return false;
    const found = readNote(await readFile(path, 'utf8'));
    const isGiven = found !== undefined && (await giveBack(found));
    await rm(path, { force: true });
    return isGiven;
  }

  /** False: the attempt is over already, be it with its workflow. */
  async function giveBack({ taskToken, workflowId }: Note): Promise<boolean> {
    try {
      // Else the next task of the workflow would be offered to the dead one first, for three seconds.
      await client.workflowService.resetStickyTaskQueue({
        namespace: client.options.namespace,
        execution: { workflowId },
      });
      await client.activity.fail(Buffer.from(taskToken, 'base64'), lostWorker());
      return true;
    } catch (error) {
      if (error instanceof ActivityNotFoundError) return false;
      const code: number | undefined = isGrpcServiceError(error) ? error.code : undefined;
      if (code === NOT_FOUND) return false;
      throw error;
    }
  }

  return {
    interceptor: {
      async execute(input, next) {
        const takeAway = note();
        try {
          return await next(input);
        } finally {
          await takeAway();
        }
      },
    },
    giveBackLost,
  };
}

/** A note that was cut off when its writer died says nothing. */
function readNote(text: string): Note | undefined {
  try {
    return noteSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const lostWorker = (): ApplicationFailure =>
  ApplicationFailure.create({
    type: WORKER_LOST,
    message: WORKER_GONE.message,
    details: [{ ...WORKER_GONE, fix: WORKER_GONE.remedy }],
    nextRetryDelay: 1,
  });
