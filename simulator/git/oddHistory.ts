import type { Bytes, FastImport, WhoAndWhen } from './fastImport.ts';
import { ODD_FILES, ODD_START_SECOND, type OddCommit, raw, write } from './oddFiles.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

function who(name: Bytes, email: Bytes, seconds: number, zone = '+0000'): WhoAndWhen {
  return { name, email, seconds, zone };
}

const ADA = who('Ada Odd', 'ada@example.test', ODD_START_SECOND);

const TEXTS: OddCommit[] = [
  { name: 'empty', message: 'Nothing changed\n', changes: [] },
  { name: 'no message', message: '', changes: [write('odd/a.txt', '1\n')] },
  { name: 'no last newline', message: 'No newline at the end', changes: [write('odd/a.txt', '2\n')] },
  {
    name: 'blank lines',
    message: '\n\n  Starts late\n\n\n\nEnds late\n\n\n',
    changes: [write('odd/a.txt', '3\n')],
  },
  { name: 'crlf', message: 'Carriage\r\n\r\nreturns\r\n', changes: [write('odd/a.txt', '4\n')] },
  { name: 'huge message', message: `Long\n\n${'All work and no play. '.repeat(50_000)}\n`, changes: [] },
  {
    name: 'unicode',
    message: 'Grüße, 世界 🪣 \u202Eright to left\n\tand a tab\u0001\n',
    changes: [write('odd/a.txt', '5\n')],
  },
  {
    name: 'latin1 with header',
    message: latin1('Änderung für Größe\n'),
    encoding: 'iso-8859-1',
    author: who(latin1('Jürgen Groß'), 'juergen@example.test', ODD_START_SECOND, '+0200'),
    changes: [write('odd/a.txt', '6\n')],
  },
  {
    name: 'latin1 without header',
    message: latin1('Änderung ohne Kopf\n'),
    author: who(latin1('Jörg'), latin1('jörg@example.test'), ODD_START_SECOND),
    changes: [write('odd/a.txt', '7\n')],
  },
  {
    name: 'shift_jis',
    message: raw(0x83, 0x65, 0x83, 0x58, 0x83, 0x67, '\n'),
    encoding: 'Shift_JIS',
    changes: [write('odd/a.txt', '8\n')],
  },
  {
    name: 'lone surrogate',
    message: raw('Surrogate ', 0xed, 0xa0, 0x80, '\n'),
    changes: [write('odd/a.txt', '9\n')],
  },
  {
    name: 'unknown encoding',
    message: 'Plain\n',
    encoding: 'x-nobody-knows',
    changes: [write('odd/a.txt', '10\n')],
  },
];

const TIMES: OddCommit[] = [
  {
    name: 'epoch',
    author: who('Epoch', 'epoch@example.test', 0),
    message: 'At the epoch\n',
    changes: [write('odd/t.txt', '1\n')],
  },
  {
    name: 'future',
    author: who('Future', 'f@example.test', 4_102_444_800),
    message: 'In 2100\n',
    changes: [write('odd/t.txt', '2\n')],
  },
  {
    name: 'nepal',
    author: who('N', 'n@example.test', ODD_START_SECOND, '+0545'),
    message: 'Zone\n',
    changes: [write('odd/t.txt', '3\n')],
  },
  {
    name: 'minus zero',
    author: who('M', 'm@example.test', ODD_START_SECOND, '-0000'),
    message: 'Zone\n',
    changes: [write('odd/t.txt', '4\n')],
  },
  {
    name: 'kiritimati',
    author: who('K', 'k@example.test', ODD_START_SECOND, '+1400'),
    message: 'Zone\n',
    changes: [write('odd/t.txt', '5\n')],
  },
  {
    name: 'back in time',
    author: who('Back', 'b@example.test', ODD_START_SECOND - 90 * 86_400),
    committer: who('Back', 'b@example.test', ODD_START_SECOND - 60 * 86_400, '-0930'),
    message: 'Committed before its parent\n',
    changes: [write('odd/t.txt', '6\n')],
  },
  {
    name: 'no name',
    author: who('', 'empty@example.test', ODD_START_SECOND),
    message: 'No name\n',
    changes: [],
  },
  { name: 'no e-mail', author: who('No Mail', '', ODD_START_SECOND), message: 'No e-mail\n', changes: [] },
  {
    name: 'neither',
    author: who('', '', ODD_START_SECOND),
    committer: who('', '', ODD_START_SECOND),
    message: 'Nobody\n',
    changes: [],
  },
  {
    name: 'comma',
    author: who('"Odd, Ada" | x', 'Ada.Odd+x@EXAMPLE.test', ODD_START_SECOND),
    message: 'Name\n',
    changes: [],
  },
];

const SHAPES: OddCommit[] = [
  { name: 'side one', parents: ['neither'], message: 'One\n', changes: [write('odd/one.txt', '1\n')] },
  { name: 'side two', parents: ['neither'], message: 'Two\n', changes: [write('odd/two.txt', '2\n')] },
  {
    name: 'other root',
    parents: [],
    message: 'Another beginning\n',
    changes: [write('odd/root.txt', 'r\n')],
  },
  { name: 'empty root', parents: [], message: 'An empty beginning\n', changes: [] },
  {
    name: 'octopus',
    parents: ['comma', 'side one', 'side two', 'other root'],
    message: 'Merge four ways\n',
    changes: [write('odd/one.txt', '1\n'), write('odd/two.txt', '2\n'), write('odd/root.txt', 'r\n')],
  },
  { name: 'evil side', parents: ['comma'], message: 'Side\n', changes: [write('odd/three.txt', '3\n')] },
  {
    name: 'evil merge',
    parents: ['octopus', 'evil side'],
    message: "Merge branch 'evil'\n",
    changes: [write('odd/three.txt', '3\nand more\n'), write('odd/not-on-either-side.txt', '!\n')],
  },
  { name: 'ours merge', parents: ['evil merge', 'empty root'], message: 'Merge nothing\n', changes: [] },
  { name: 'orphan', parents: [], message: 'Pages\n', changes: [write('index.html', '<p>\n')] },
  {
    name: 'only tagged',
    parents: ['other root'],
    message: 'Only a tag holds this\n',
    changes: [write('t', 't\n')],
  },
];

const ODD_HISTORY = [...ODD_FILES, ...TEXTS, ...TIMES, ...SHAPES];

/** How many commits {@link writeOddHistory} adds to what branches and tags reach. */
export const ODD_COMMITS = ODD_HISTORY.length;

const ODD_BRANCHES: [name: string, commit: string][] = [
  ['odd/"quoted"$dollar;semi<less>more&and#hash=equals@at!bang|pipe,comma.dot', 'binary'],
  ['odd/naïve-ブランチ-🪣', 'rename'],
  ['odd/100%25/%2F+plus', 'mode'],
  ['odd/both', 'empty'],
  ["odd/it's(a)+branch", 'unicode'],
  ['gh-pages', 'orphan'],
];

const ODD_TAGS: [name: string, commit: string, message: Bytes | null][] = [
  ['odd/both', 'epoch', null],
  ['odd/only-tagged', 'only tagged', 'Kept by this tag alone\n'],
  ['odd/ünïcode-🏷', 'octopus', 'Grüße 🏷\n\nwith a body'],
  ['odd/bad-bytes', 'future', raw('bad ', 0xff, ' message\n')],
  ['odd/empty-message', 'nepal', ''],
];

/** Writes every oddity onto `start`, with branches and tags, and returns the main branch's new tip. */
export function writeOddHistory(importer: FastImport, start: number): number {
  const marks = new Map<string, number>([['start', start]]);
  let before = 'start';
  let seconds = ODD_START_SECOND;
  const markOf = (name: string) => {
    const mark = marks.get(name);
    if (mark === undefined) throw new Error(`No odd commit is called ${name}`);
    return mark;
  };
  for (const odd of ODD_HISTORY) {
    seconds += 600;
    const [first, ...others] = (odd.parents ?? [before]).map(markOf);
    const mark = importer.commit({
      ref: 'refs/simulator/odd',
      author: odd.author ?? { ...ADA, seconds },
      committer: odd.committer ?? { ...ADA, seconds },
      message: odd.message,
      ...(odd.encoding === undefined ? {} : { encoding: odd.encoding }),
      from: first ?? null,
      merges: others,
      changes: odd.changes,
    });
    marks.set(odd.name, mark);
    before = odd.name;
  }
  for (const [name, commit] of ODD_BRANCHES) importer.reset(`refs/heads/${name}`, markOf(commit));
  for (const [name, commit, message] of ODD_TAGS) {
    if (message === null) importer.reset(`refs/tags/${name}`, markOf(commit));
    else importer.tag(name, markOf(commit), { ...ADA, seconds }, message);
  }
  const tip = markOf('ours merge');
  importer.reset('refs/heads/main', tip);
  return tip;
}
