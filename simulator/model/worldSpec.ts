/** What a repository holds and how it is odd. */
export interface RepositorySpec {
  workspace: string;
  project: string;
  slug: string;
  /** Default: made from the slug. */
  name?: string;
  pullRequests: number;
  /** At least; pull requests bring their own. 0 with no pull requests is an empty repository. */
  commits: number;
  branches?: number;
  tags?: number;
  tickets?: number;
  isPrivate?: boolean;
  /** Slugs it had before: they redirect. */
  formerSlugs?: string[];
  /** A fork of this `workspace/slug`; `gone` for one of a repository that no longer exists. */
  forkOf?: string;
  /** Only workspace owners see it. */
  ownersOnly?: boolean;
  /** The tracker is off: its issues answer 404 in the guide's era. */
  trackerDisabled?: boolean;
  /** Invalid bytes, octopus merges and other odd git objects too. */
  oddGit?: boolean;
  /** Others share its git side. */
  isShared?: boolean;
  /** Has the git side of this earlier `workspace/slug`, and as many pull requests, by other people. */
  sharesGitOf?: string;
  /** How much happens to its pull requests; default a little. */
  activity?: ActivityMix;
}

/** Six entries a pull request on average, half of them comments; one in a hundred has more than sixty. */
export interface ActivityMix {
  /** One pull request in so many has a comment that no activity list shows, only its own comments; 0 for none. */
  shortFeedEvery: number;
}

export interface WorkspaceSpec {
  slug: string;
  name: string;
  isPrivate?: boolean;
  projects: { key: string; name: string }[];
}

export interface WorldSpec {
  workspaces: WorkspaceSpec[];
  repositories: RepositorySpec[];
  /** Accounts that write pull requests; default 40. */
  contributors?: number;
  /** How many of them are members of the first workspace; default 20. */
  members?: number;
}

export const SIZES = ['tiny', 'small', 'medium', 'large'] as const;
export type Size = (typeof SIZES)[number];

const WORKSPACES: WorkspaceSpec[] = [
  {
    slug: 'acme-rockets',
    name: 'Acme Rockets',
    projects: [
      { key: 'ENG', name: 'Engineering' },
      { key: 'OPS', name: 'Operations' },
    ],
  },
  {
    slug: 'globex',
    name: 'Globex Gläser & Söhne',
    isPrivate: true,
    projects: [{ key: 'WEB', name: 'Web 🌍' }],
  },
];

interface Amounts {
  big: [pullRequests: number, commits: number, tickets: number];
  middle: [pullRequests: number, commits: number, tickets: number];
  little: [pullRequests: number, commits: number, tickets: number];
  extra: number;
}

const AMOUNTS: Record<Size, Amounts> = {
  tiny: { big: [60, 180, 25], middle: [22, 60, 8], little: [5, 20, 3], extra: 0 },
  small: { big: [140, 500, 60], middle: [60, 200, 20], little: [20, 60, 6], extra: 1 },
  medium: { big: [1000, 10_000, 400], middle: [500, 2000, 100], little: [150, 400, 30], extra: 4 },
  large: { big: [10_000, 20_000, 2000], middle: [1000, 4000, 200], little: [200, 500, 30], extra: 4 },
};

/** The worlds behind `--size`. Every one has each kind of odd repository; they differ in amounts only. */
export function sizeSpec(size: Size): WorldSpec {
  const { big, middle, little, extra } = AMOUNTS[size];
  const amounts = ([pullRequests, commits, tickets]: Amounts['big']) => ({ pullRequests, commits, tickets });
  const repositories: RepositorySpec[] = [
    {
      workspace: 'acme-rockets',
      project: 'ENG',
      slug: 'flight-control',
      ...amounts(big),
      branches: 6,
      tags: 8,
      oddGit: true,
    },
    {
      workspace: 'acme-rockets',
      project: 'ENG',
      slug: 'telemetry',
      ...amounts(middle),
      formerSlugs: ['telemetry-old'],
      tags: 3,
    },
    {
      workspace: 'acme-rockets',
      project: 'OPS',
      slug: 'launch-scripts',
      ...amounts(little),
      isPrivate: false,
    },
    { workspace: 'acme-rockets', project: 'OPS', slug: 'blank-slate', pullRequests: 0, commits: 0 },
    { workspace: 'acme-rockets', project: 'OPS', slug: 'secret-sauce', ...amounts(little), ownersOnly: true },
    {
      workspace: 'globex',
      project: 'WEB',
      slug: 'shop',
      name: 'Shop – Läden & مرحبا',
      ...amounts(middle),
      tags: 2,
    },
    {
      workspace: 'globex',
      project: 'WEB',
      slug: 'telemetry-fork',
      ...amounts(little),
      forkOf: 'gone',
      trackerDisabled: true,
    },
  ];
  for (let index = 1; index <= extra; index += 1) {
    repositories.push({ workspace: 'globex', project: 'WEB', slug: `service-${index}`, ...amounts(little) });
  }
  return { workspaces: WORKSPACES, repositories, contributors: 40 };
}
