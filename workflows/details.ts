import type { IntegrationState } from './words.ts';
import type { RepositoryProgress } from './inputs.ts';

/** Texts that an operator reads in Temporal UI. Names come from Bitbucket: they are escaped and cut. */

const SUMMARY_LENGTH = 120;
const NAME_LENGTH = 80;

/** Cuts by code points, so that no half of a surrogate pair remains. */
const cut = (text: string, length: number): string => {
  const points = Array.from(text);
  return points.length <= length ? text : `${points.slice(0, length - 1).join('')}…`;
};

/** One line, nothing that Markdown or HTML would interpret, at most 80 characters. */
export const escapeName = (name: string): string =>
  cut(name.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' '), NAME_LENGTH)
    .replaceAll(/[\\`*_{}[\]()#+!|~$^:@-]/g, String.raw`\$&`)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');

/** A summary is plain text: one line of at most 120 characters (Temporal keeps 200 bytes). */
export const summary = (text: string): string =>
  cut(text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' '), SUMMARY_LENGTH);

/** `14:05 UTC`, with the date when it is not the day of `now`. */
export function clock(untilMs: number, nowMs: number): string {
  const until = new Date(untilMs).toISOString();
  const sameDay = until.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10);
  return `${sameDay ? '' : `${until.slice(0, 10)} `}${until.slice(11, 16)} UTC`;
}

/** A Markdown table of two columns. Values are escaped by the caller where they come from outside. */
const table = (rows: readonly (readonly [string, string])[]): string =>
  ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');

const number = (value: number): string => value.toLocaleString('en-US');

/** The same two figures that the API shows. */
const outlookRows = (
  requestsLeft: number | null | undefined,
  estimatedEnd: string | null | undefined,
  nowMs: number,
): (readonly [string, string])[] => [
  ['requests left', requestsLeft == null ? 'not known yet' : number(requestsLeft)],
  ['estimated end', estimatedEnd == null ? '–' : clock(Date.parse(estimatedEnd), nowMs)],
];

export function repositoryDetails(input: {
  fullName: string;
  doing: string;
  progress: RepositoryProgress;
  resumesAt: string | null;
  nowMs: number;
}): string {
  const { records, requests, expected, requestsLeft, estimatedEnd } = input.progress;
  const share = expected === null || expected === 0 ? null : Math.min(100, (100 * records) / expected);
  return `**${escapeName(input.fullName)}** – ${input.doing}\n\n${table([
    ['done', share === null ? 'not known yet' : `${share.toFixed(0)} %`],
    ['known total', expected === null ? 'not known yet' : number(expected)],
    ['records', number(records)],
    ['requests', number(requests)],
    ...outlookRows(requestsLeft, estimatedEnd, input.nowMs),
    ['resumes at', input.resumesAt ?? '–'],
  ])}`;
}

export function importDetails(input: {
  title: string;
  doing: string;
  total: number;
  completed: number;
  failed: number;
  records: number;
  requests: number;
  requestsLeft?: number | null;
  estimatedEnd?: string | null;
  nowMs: number;
  inHand: readonly string[];
}): string {
  return `**${escapeName(input.title)}** – ${input.doing}\n\n${table([
    [
      'repositories done',
      `${number(input.completed)} of ${number(input.total)}${input.failed === 0 ? '' : `, ${number(input.failed)} failed`}`,
    ],
    ['in hand', input.inHand.length === 0 ? '–' : input.inHand.map(escapeName).join(', ')],
    ['records', number(input.records)],
    ['requests', number(input.requests)],
    ...outlookRows(input.requestsLeft, input.estimatedEnd, input.nowMs),
  ])}`;
}

export function estimateDetails(input: {
  title: string;
  doing: string;
  total: number;
  sampled: number;
  asked: number;
  requests: number;
}): string {
  return `**Estimate of ${escapeName(input.title)}** – ${input.doing}\n\n${table([
    ['repositories meant', number(input.total)],
    ['asked about', `${number(input.asked)} of ${number(input.sampled)}`],
    ['requests', number(input.requests)],
  ])}`;
}

const NEXT_STEP: Record<IntegrationState, string> = {
  awaiting_credential: 'waits for a credential',
  checking: 'checks the connection',
  connected: 'waits for name and services (create)',
  active: 'works',
  paused: 'paused by a person; goes on with resume',
  needs_credential: 'waits for a new credential: Bitbucket refused the old one',
  disconnecting: 'is being removed',
};

/** What the integration waits for, in one line without names. */
export const waitingFor = (state: IntegrationState): string => NEXT_STEP[state];

export function integrationDetails(input: {
  name: string | null;
  state: IntegrationState;
  services: readonly string[];
  runningImports: number;
  refusals: number;
  nextTimer: string | null;
}): string {
  return `**${input.name === null ? 'Draft' : escapeName(input.name)}** – ${waitingFor(input.state)}\n\n${table(
    [
      ['state', input.state],
      ['services', input.services.length === 0 ? '–' : input.services.join(', ')],
      ['running imports', number(input.runningImports)],
      ['refusals of the credential', number(input.refusals)],
      ['next', input.nextTimer ?? '–'],
    ],
  )}`;
}

/** What an operator sees of a repository's sync. */
export function syncDetails(input: {
  fullName: string;
  doing: string;
  until: string | null;
  /** services of hints that wait for the next round */
  wanted: readonly string[];
}): string {
  return table([
    ['repository', escapeName(input.fullName)],
    ['doing', input.doing],
    ['goes on', input.until ?? '–'],
    ['hints that wait', input.wanted.length === 0 ? 'none' : input.wanted.join(', ')],
  ]);
}

/** What an operator sees of a poll round. */
export const pollDetails = (input: { doing: string; requests: number; found: number }): string =>
  table([
    ['doing', input.doing],
    ['requests', number(input.requests)],
    ['repositories found changed', number(input.found)],
  ]);
