import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { PauseReason, Wanted } from './inputs.ts';
import type { VanishedDecision } from './contracts/vanished.ts';
import type {
  CommitSource,
  CredentialKind,
  ImportMode,
  IntegrationState,
  Service,
  SyncTrigger,
} from './words.ts';

/** The integration's row as the api read it in the same request: a fresh run starts from it. */
export interface IntegrationSnapshot {
  organizationId: string;
  integrationId: string;
  state: IntegrationState;
  /** row version; the entity's writes compare and set it */
  version: number;
  name: string | null;
  services: Service[];
  /** services that the last passed check allows */
  allowedServices: Service[];
  credentialKind: CredentialKind | null;
  /** ISO time at which an untouched draft expires; null once created */
  draftExpiresAt: string | null;
  /** left out: git */
  commitSource?: CommitSource;
}

/** Input of the `integration` workflow. Everything but the snapshot is carried across continue-as-new. */
export interface IntegrationInput {
  snapshot: IntegrationSnapshot;
  carried?: {
    runningImportIds: string[];
    /** checks that wait for their turn, oldest first */
    checks: PendingCheck[];
    /** ISO times at which the host refused the credential, newest last */
    refusals: string[];
    /** when it asks with the refused credential again; left out: not told, null: it does not */
    probeAtMs?: number | null;
    /** what is to be tried again once it is active; left out: nothing */
    followUp?: FollowUp;
    /** whether poll rounds were last told to come; left out or null: nothing was told yet */
    polled?: boolean | null;
    /** the auto-import rules are to be applied; left out: not */
    autoImportDue?: boolean;
  };
  /** Left out: the defaults of `workflows/timing.ts`. */
  timing?: Partial<IntegrationTiming>;
}

/** What a credential that Bitbucket takes is to try again. */
export interface FollowUp {
  /** repositories that wait because they failed */
  parked: boolean;
  discovery: boolean;
}

/** A credential that waits to be checked: given directly, or as the sealed code of an OAuth flow. */
export interface PendingCheck {
  checkId: string;
  credentialId: string | null;
  oauthFlowId: string | null;
}

/** How long the integration waits for what; tests give shorter ones. */
export interface IntegrationTiming {
  /** a draft that nobody touches for this long expires */
  draftMs: number;
  /** between two probes of a credential that the host refused */
  probeEveryMs: number;
  /** refusals must span this long before the integration asks for a new credential */
  confirmMs: number;
  /** what was asked to end because the integration is removed has so long to do so */
  graceMs: number;
  /** a run of this many events continues as new */
  historyLimit: number;
}

/** Who asked: for created_by and the audit trail. */
export interface Actor {
  apiKeyId: string;
  actingUser: string | null;
}

export interface CommandAnswer {
  state: IntegrationState;
  version: number;
}

/**
 * Commands to the `integration` workflow. A validator refuses what the state does not allow with an
 * ApplicationFailure whose `type` is the API's problem code and whose first detail is
 * `{ message, fix }`; the api turns it into a 409.
 */
export const submitCredential = defineUpdate<
  CommandAnswer & { checkId: string },
  [{ checkId: string; credentialId: string; actor: Actor }]
>('submitCredential');

/** Exchanges the sealed code of a returned OAuth flow, then checks the connection. */
export const completeOauth = defineUpdate<
  CommandAnswer & { checkId: string },
  [{ checkId: string; oauthFlowId: string; actor: Actor }]
>('completeOauth');

/** `services: null` means all that the check allows; without a `commitSource` commits come from git. */
export const create = defineUpdate<
  CommandAnswer & { services: Service[]; name: string },
  [{ name: string; services: Service[] | null; commitSource?: CommitSource; actor: Actor }]
>('create');

export const rename = defineUpdate<CommandAnswer & { name: string }, [{ name: string; actor: Actor }]>(
  'rename',
);

/** Registers webhooks wherever the account may, or repairs them; `rotate`: each gets a new secret besides. */
export const registerWebhooks = defineUpdate<CommandAnswer, [{ rotate: boolean; actor: Actor }]>(
  'registerWebhooks',
);

/** Removes the webhooks; changes are found by polling alone from then on. */
export const removeWebhooks = defineUpdate<CommandAnswer, [{ actor: Actor }]>('removeWebhooks');

/** To `keepWebhooks`: what is wanted changed, so a round begins now. */
export const webhooksCommanded = defineSignal('webhooksCommanded');

/** Which services are on from now on. Off: nothing of it is fetched any more, what is stored stays; on: catches up. */
export const changeServices = defineUpdate<
  CommandAnswer & { services: Service[] },
  [{ services: Service[]; actor: Actor }]
>('changeServices');

/** What a person says of repositories that vanished together; where nothing is asked it changes nothing. */
export const settleVanished = defineUpdate<CommandAnswer, [{ decision: VanishedDecision; actor: Actor }]>(
  'settleVanished',
);

export const discover = defineUpdate<CommandAnswer, [{ actor: Actor }]>('discover');

/** The auto-import rules were changed: what they take now is imported, once the integration is active. */
export const applyAutoImport = defineUpdate<CommandAnswer, [{ actor: Actor }]>('applyAutoImport');

/** From a discovery to the integration: it has ended well, or found a repository by itself. */
export const discovered = defineSignal('discovered');

/** The import's row (with its selection and mode) is stored by the api before this is sent. */
export const startImport = defineUpdate<
  CommandAnswer & { importId: string },
  [{ importId: string; mode: ImportMode; actor: Actor }]
>('startImport');

/**
 * Commands to `importRepositories`, refused like those above. `changed: false`: it was so already. A run that is not
 * there (it ended, or an operator ended it) is the api's business: the import's row says which.
 */
export const pauseImport = defineUpdate<{ changed: boolean }, [{ actor: Actor }]>('pauseImport');
export const resumeImport = defineUpdate<{ changed: boolean }, [{ actor: Actor }]>('resumeImport');
export const cancelImport = defineUpdate<{ changed: boolean }, [{ actor: Actor }]>('cancelImport');

/** To the integration: starts the run of an import again that has not ended but lost its run. */
export const reviveImport = defineUpdate<CommandAnswer, [{ importId: string; actor: Actor }]>('reviveImport');

/**
 * To the integration: the failed repositories of an import run again, in the same import, whether it has ended or not.
 * `repositoryIds: null` means all that failed.
 */
export const retryFailed = defineUpdate<
  CommandAnswer & { changed: boolean },
  [{ importId: string; repositoryIds: string[] | null; actor: Actor }]
>('retryFailed');

/** To `importRepositories`: there are repositories again that have not ended. */
export const lookForMore = defineSignal('lookForMore');

/** To the integration: an import that said it had ended goes on after all. */
export const importGoesOn = defineSignal<[{ importId: string }]>('importGoesOn');

/** An import, a sync or a discovery that waits goes on with `resume` alone; a person's pause of an import is apart. */
export const pause = defineUpdate<CommandAnswer, [{ actor: Actor }]>('pause');
export const resume = defineUpdate<CommandAnswer, [{ actor: Actor }]>('resume');

/** Only a draft (before `create`) can be removed this way. */
export const deleteDraft = defineUpdate<{ deleted: true }, [{ actor: Actor }]>('deleteDraft');

/**
 * Removes a created integration with everything that is its own. `confirm` is its name. The answer comes when nothing of it
 * may begin any more; the removal then goes on by itself (`disconnectIntegration`).
 */
export const disconnect = defineUpdate<CommandAnswer, [{ confirm: string; actor: Actor }]>('disconnect');

/** To the integration: its row is gone. */
export const disconnected = defineSignal('disconnected');

/** To `removeRepository`: answers when the repository is marked as removed. `known: false`: there is none. */
export const repositoryMarked = defineUpdate<{ known: boolean }>('repositoryMarked');

/** To the integration: an import ended (the truth is its row; a lost signal must not hang anybody). */
export const importFinished = defineSignal<[{ importId: string }]>('importFinished');
/** To the integration: a run was answered 401. */
export const credentialRefused = defineSignal<[{ at: string }]>('credentialRefused');

/**
 * To `importRepositories`: a repository's outcome row is written. `run`: the first run of the chain that says so, since a
 * word of the last attempt may arrive when the next one runs already.
 */
export const repositoryFinished =
  defineSignal<[{ repositoryId: string; run?: string }]>('repositoryFinished');

/**
 * From the integration to `importRepositories`, and from there to its runs of `importRepository`; to the runs of syncs,
 * and to `discoverIntegration`. Runs of a repository are told for which import it holds: others may want it too.
 * `version`: of the integration's row that says so, where an activity tells it: what an attempt says that was thought dead
 * may arrive behind what is newer.
 */
export const setPaused =
  defineSignal<[{ paused: boolean; reason: PauseReason | null; importId?: string; version?: number }]>(
    'setPaused',
  );

/**
 * The services of the integration are others now: from it to `importRepositories`, from there to its runs, and to the
 * runs of syncs. What is in hand stops at its checkpoint, and goes on with the streams that are wanted now.
 */
export const servicesChanged = defineSignal<[{ importId: string }]>('servicesChanged');

/** To `importRepository`: another import wants this repository too. */
export const joinRepository = defineSignal<[Wanted]>('joinRepository');

/** To `importRepositories`: a repository in hand is read by its own run now, or by that of another import. */
export const ownerChanged = defineSignal<[{ repositoryId: string; yours: boolean }]>('ownerChanged');

/** To `importRepository`: this import does not want the repository any more; without another that does, it ends. */
export const stopImport = defineSignal<[{ importId: string }]>('stopImport');

/** To whoever waits for the request budget: there is room earlier than foreseen. */
export const allowanceFreed = defineSignal('allowanceFreed');

/**
 * To `syncRepository`, which it starts where there is none: the repository may have changed in what these services bring
 * in. A hint, never data: the current state is fetched. A person's ends the wait of a repository that failed.
 */
export const changed = defineSignal<[{ services: Service[]; by: SyncTrigger }]>('changed');

export const currentState = defineQuery<{ state: IntegrationState; version: number; waitingFor: string }>(
  'currentState',
);
