import { readFileSync } from 'node:fs';
import { SHARED_FOLDER } from './openapi.ts';
import type { Answer } from './tour.ts';

/** One kind of thing, where recordings of it are and where our answers have it. */
export interface Recorded {
  name: string;
  /** File below `fixtures/`, and the way to the thing in it: `body/values/#`. */
  files: [file: string, way: string][];
  /** The simulator's route, and the way in its answers. */
  routes: [route: RegExp, way: string][];
}

const GITEA = 'go-gitea-gitea';
const GILDAS = 'gildas-bitbucket-cli/testdata';
const DRONE = 'drone-go-scm/testdata';
const HOOKS = 'go-playground-webhooks/bitbucket';
const REPOSITORY = '\\/repositories\\/:workspace\\/:repository';

const at = (end: string) => new RegExp(`^${REPOSITORY}${end}$`);

export const RECORDED: Recorded[] = [
  { name: 'user', files: [[`${DRONE}/user.json`, '']], routes: [[/^\/user$/, '']] },
  {
    name: 'workspace access',
    files: [[`${GILDAS}/workspace-access.json`, '']],
    routes: [[/^\/user\/workspaces$/, 'values/#']],
  },
  {
    name: 'workspace',
    files: [[`${GILDAS}/workspace.json`, '']],
    routes: [[/^\/workspaces\/:workspace$/, '']],
  },
  {
    name: 'repository',
    files: [
      [`${GITEA}/repository.json`, 'body'],
      [`${GILDAS}/repository.json`, ''],
    ],
    routes: [[at(''), '']],
  },
  {
    name: 'branch',
    files: [
      [`${GILDAS}/branch.json`, ''],
      [`${DRONE}/branches.json`, 'values/#'],
      [`${DRONE}/branch.json`, ''],
    ],
    routes: [[at('\\/refs\\/branches'), 'values/#']],
  },
  {
    name: 'tag',
    files: [
      [`${GILDAS}/tags.json`, 'values/#'],
      [`${DRONE}/tags.json`, 'values/#'],
    ],
    routes: [[at('\\/refs\\/tags'), 'values/#']],
  },
  {
    name: 'commit',
    files: [
      [`${GITEA}/commit_9f733b96b98a.json`, 'body'],
      [`${GILDAS}/commit.json`, ''],
      [`${DRONE}/commit.json`, ''],
    ],
    routes: [[at('\\/commit\\/:revision'), '']],
  },
  {
    name: 'commit in a list',
    files: [[`${DRONE}/commits.json`, 'values/#']],
    routes: [[at('\\/commits'), 'values/#']],
  },
  {
    name: 'diffstat',
    files: [[`${DRONE}/diffstat.json`, 'values/#']],
    routes: [[at('\\/diffstat\\/\\*spec'), 'values/#']],
  },
  {
    name: 'pull request in a list',
    files: [
      [`${GITEA}/pullrequests_page1.json`, 'body/values/#'],
      [`${GILDAS}/pullrequests.json`, 'values/#'],
      [`${DRONE}/prs.json`, 'values/#'],
    ],
    routes: [[at('\\/pullrequests'), 'values/#']],
  },
  {
    name: 'pull request',
    files: [
      [`${GITEA}/pullrequests_page1.json`, 'body/values/#'],
      [`${GILDAS}/pullrequest.json`, ''],
      [`${GILDAS}/pullrequest-no-dest-repo.json`, ''],
      [`${DRONE}/pr.json`, ''],
    ],
    routes: [[at('\\/pullrequests\\/:id'), '']],
  },
  {
    name: 'comment',
    files: [
      [`${DRONE}/prcomments.json`, 'values/#'],
      [`${DRONE}/prcomment.json`, ''],
      [`${GILDAS}/activity-comment.json`, 'comment'],
    ],
    routes: [[at('\\/pullrequests\\/:id\\/comments'), 'values/#']],
  },
  {
    name: 'activity',
    files: [
      [`${GILDAS}/activity-comment.json`, ''],
      [`${GILDAS}/activity-update.json`, ''],
      [`${GILDAS}/activity-approval.json`, ''],
      [`${GILDAS}/activity-missing.json`, ''],
    ],
    routes: [[at('\\/pullrequests\\/activity'), 'values/#']],
  },
  {
    name: 'participant',
    files: [[`${GILDAS}/participant.json`, '']],
    routes: [[at('\\/pullrequests\\/:id'), 'participants/#']],
  },
  {
    name: 'webhook subscription',
    files: [
      [`${DRONE}/hook.json`, ''],
      [`${DRONE}/hooks.json`, 'values/#'],
    ],
    routes: [[at('\\/hooks'), 'values/#']],
  },
  {
    name: 'ticket',
    files: [
      [`${HOOKS}/issue-created.json`, 'issue'],
      [`${HOOKS}/issue-updated.json`, 'issue'],
    ],
    routes: [[at('\\/issues\\/:id'), '']],
  },
];

export function readRecording(file: string, way: string): unknown[] {
  return follow(JSON.parse(readFileSync(`${SHARED_FOLDER}fixtures/${file}`, 'utf8')), way);
}

export function partsOf(
  answers: (Answer & { route: string | undefined })[],
  { routes }: Recorded,
): unknown[] {
  return routes.flatMap(([route, way]) =>
    answers
      .filter(
        ({ method, status, ...answer }) =>
          method === 'GET' && status === 200 && route.test(answer.route ?? ''),
      )
      .flatMap(({ body }) => follow(body, way)),
  );
}

function follow(value: unknown, way: string): unknown[] {
  if (way === '') return [value];
  const [first = '', ...rest] = way.split('/');
  const remaining = rest.join('/');
  if (first !== '#') {
    const child = Object(value)[first];
    return child === undefined ? [] : follow(child, remaining);
  }
  return Array.isArray(value) ? value.flatMap((item: unknown) => follow(item, remaining)) : [];
}
