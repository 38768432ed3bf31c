import type { Bytes, FileChange, WhoAndWhen } from './fastImport.ts';

/** A commit that importers stumble over; what is left out is ordinary. */
export interface OddCommit {
  name: string;
  /** Names of earlier odd commits, or `start`; default the one before; none for a root. */
  parents?: string[];
  author?: WhoAndWhen;
  committer?: WhoAndWhen;
  message: Bytes;
  encoding?: string;
  changes: FileChange[];
}

export const ODD_START_SECOND = Date.UTC(2024, 1, 29, 12) / 1_000;
export const raw = (...bytes: (string | number)[]) =>
  Buffer.concat(bytes.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));
export const write = (path: Bytes, data: Bytes, mode?: '100755' | '120000'): FileChange =>
  mode ? { kind: 'write', path, data, mode } : { kind: 'write', path, data };
const remove = (path: Bytes): FileChange => ({ kind: 'delete', path });

const LINES = Array.from({ length: 40 }, (_, line) => `line ${line} of a file that moves\n`);
const BAD_PATH = raw('odd/bad-', 0xff, 0xfe, '-name.txt');

/** Names that git allows and careless code does not (facts 3.6). */
const ODD_PATHS: Bytes[] = [
  BAD_PATH,
  raw('odd/latin-', 0xe4, '.txt'),
  'odd/tab\there.txt',
  'odd/new\nline.txt',
  'odd/"quoted".txt',
  "odd/it's.txt",
  'odd/back\\slash.txt',
  'odd/ spaces at both ends ',
  'odd/arrow => here.txt',
  'odd/{brace => other}/file.txt',
  'odd/日本語/ファイル.txt',
  'odd/e\u0301-decomposed.txt',
  'odd/\u00e9-composed.txt',
  'odd/🪣.txt',
  'odd/-starts-with-dash',
  'odd/[glob]*?.txt',
  ':(top)odd.txt',
  `odd/${'long-'.repeat(40)}name.txt`,
];

/** Paths, contents, kinds of entries. */
export const ODD_FILES: OddCommit[] = [
  {
    name: 'paths',
    message: 'Add files with odd names\n',
    changes: ODD_PATHS.map((path) => write(path, 'one\n')),
  },
  {
    name: 'paths again',
    message: 'Change files with odd names\n',
    changes: ODD_PATHS.map((path) => write(path, 'one\ntwo\n')),
  },
  {
    name: 'bad rename',
    message: 'Rename bad bytes to other bad bytes\n',
    changes: [remove(BAD_PATH), write(raw('odd/moved-', 0xff, '.txt'), 'one\ntwo\n')],
  },
  {
    name: 'binary',
    message: 'Add a picture\n',
    changes: [
      write('odd/picture.bin', raw(0x89, 'PNG', 0, 1, 2, 0, 255)),
      write('odd/moving.txt', LINES.join('')),
    ],
  },
  {
    name: 'binary again',
    message: 'Change and move a picture\n',
    changes: [
      remove('odd/picture.bin'),
      write('odd/picture-2.bin', raw(0x89, 'PNG', 0, 1, 2, 0, 254, 'more')),
    ],
  },
  {
    name: 'rename',
    message: 'Rename without a change\n',
    changes: [remove('odd/moving.txt'), write('odd/moved.txt', LINES.join(''))],
  },
  {
    name: 'rename and change',
    message: 'Rename with a change\n',
    changes: [
      remove('odd/moved.txt'),
      write('odd/deep/er/moved.txt', LINES.slice(4).join('').concat('end\n')),
    ],
  },
  {
    name: 'swap',
    message: 'Copy a file\n',
    changes: [write('odd/copy.txt', LINES.slice(4).join('').concat('end\n'))],
  },
  {
    name: 'ends',
    message: 'Files without a last newline, empty, with CRLF\n',
    changes: [
      write('odd/no-newline.txt', 'first\nlast'),
      write('odd/empty.txt', ''),
      write('odd/crlf.txt', 'a\r\nb\r\n'),
      write('odd/only-newlines.txt', '\n\n\n'),
    ],
  },
  {
    name: 'newline',
    message: 'Add the last newline\n',
    changes: [write('odd/no-newline.txt', 'first\nlast\n')],
  },
  {
    name: 'mode',
    message: 'Make it executable\n',
    changes: [write('odd/copy.txt', LINES.slice(4).join('').concat('end\n'), '100755')],
  },
  { name: 'symlink', message: 'Add a link\n', changes: [write('odd/link', 'copy.txt', '120000')] },
  {
    name: 'type change',
    message: 'Turn the link into a file\n',
    changes: [write('odd/link', 'a file now\n')],
  },
  {
    name: 'gitlink',
    message: 'Add a submodule\n',
    changes: [
      { kind: 'place', path: 'odd/module', mode: '160000', hash: 'c0ffee'.padEnd(40, '0') },
      write(
        '.gitmodules',
        '[submodule "odd/module"]\n\tpath = odd/module\n\turl = https://example.test/module.git\n',
      ),
    ],
  },
  {
    name: 'gitlink moves',
    message: 'Move the submodule on\n',
    changes: [{ kind: 'place', path: 'odd/module', mode: '160000', hash: 'decade'.padEnd(40, '1') }],
  },
  { name: 'delete', message: 'Delete files\n', changes: [remove('odd/crlf.txt'), remove('odd/empty.txt')] },
  {
    name: 'folder becomes file',
    message: 'A folder becomes a file\n',
    changes: [remove('odd/deep'), write('odd/deep', 'flat\n')],
  },
  { name: 'huge file', message: 'Add a long file\n', changes: [write('odd/long.txt', 'x\n'.repeat(30_000))] },
];
