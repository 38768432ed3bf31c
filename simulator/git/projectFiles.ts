import type { FileChange } from './fastImport.ts';
import type { Random } from './random.ts';

const WORDS =
  'account amber anchor batch beacon branch bridge bucket cedar channel cobalt copper copy cursor delta echo ember field filter flag forest frame garden granite harbor index island lantern ledger level line list maple marble meadow mirror number orbit order page parcel paper pebble queue rail range record ribbon river row saddle shelf signal silver slate span stone table thread timber token tower valley vector willow window'.split(
    ' ',
  );
const AREAS = 'core api web jobs store docs tools tests'.split(' ');
const ENDINGS = ['ts', 'md', 'py', 'sql', 'json'];
const LONGEST_FILE = 160;
const FILES_PER_FOLDER = 25;

type Lines = readonly string[];

/** The working state of one line of development: what a commit there may touch. */
export interface ProjectFiles {
  /** Invents the edits of one commit; `files` is how many files it touches. */
  edit(files: number): FileChange[];
  /** A side line that starts from here; its edits stay its own until taken over. */
  branch(): ProjectBranch;
}

export interface ProjectBranch extends ProjectFiles {
  /** All edits of the branch as one change, now also made in the files it came from. */
  takeOver(): FileChange[];
}

export function words(random: Random, count: number): string {
  let text = random.pick(WORDS);
  for (let at = 1; at < count; at += 1) text += ` ${random.pick(WORDS)}`;
  return text;
}

/** An invented project that grows to about `targetFiles` files. */
export function createProjectFiles(random: Random, targetFiles: number): ProjectFiles {
  const contents = new Map<string, Lines>();
  const folders = Array.from({ length: Math.ceil(targetFiles / FILES_PER_FOLDER) }, (_, at) => {
    /** Paths in an array, since a Map cannot be picked from; deleted ones leave it when they are met. */
    const paths: string[] = [];
    return { name: `${AREAS[at % AREAS.length]}-${WORDS[at % WORDS.length]}-${at}`, paths };
  });
  type Folder = (typeof folders)[number];
  const folderOf = new Map(folders.map((folder) => [folder.name, folder]));
  let invented = 0;

  function newPath(folder: Folder): string {
    invented += 1;
    return `${folder.name}/${random.pick(WORDS)}-${invented}.${random.pick(ENDINGS)}`;
  }

  function put(path: string, lines: Lines | null): void {
    if (lines === null) {
      contents.delete(path);
      return;
    }
    if (!contents.has(path)) folderOf.get(path.slice(0, path.indexOf('/')))?.paths.push(path);
    contents.set(path, lines);
  }

  function pickPath(own: ReadonlyMap<string, Lines | null>, { paths }: Folder): string | undefined {
    for (let tries = 0; tries < 8 && paths.length > 0; tries += 1) {
      const at = random.below(paths.length);
      const path = paths[at] ?? '';
      if (contents.has(path) && own.get(path) !== null) return path;
      if (!contents.has(path)) {
        paths[at] = paths[paths.length - 1] ?? '';
        paths.pop();
      }
    }
    return undefined;
  }

  /** The files of a commit mostly lie together, as in real projects; it also spares git writing trees. */
  function editSome(own: Map<string, Lines | null>, files: number): void {
    const focus = random.pick(folders);
    for (let file = 0; file < files; file += 1) {
      editOne(own, random.chance(0.8) ? focus : random.pick(folders));
    }
  }

  function editOne(own: Map<string, Lines | null>, folder: Folder): void {
    const path = pickPath(own, folder);
    const kind = random.next();
    if (path === undefined || kind < (contents.size < targetFiles ? 0.3 : 0.02)) {
      own.set(newPath(folder), inventLines(random, 4 + random.below(36)));
      return;
    }
    const lines = own.get(path) ?? contents.get(path) ?? [];
    if (kind > 0.98) own.set(path, null);
    else if (kind > 0.96) {
      own.set(path, null);
      own.set(newPath(random.pick(folders)), kind > 0.97 ? lines : changeLines(random, lines));
    } else own.set(path, changeLines(random, lines));
  }

  function editsOf(own: ReadonlyMap<string, Lines | null>): FileChange[] {
    return [...own].map(([path, lines]) =>
      lines === null ? { kind: 'delete', path } : { kind: 'write', path, data: `${lines.join('\n')}\n` },
    );
  }

  function branch(): ProjectBranch {
    const all = new Map<string, Lines | null>();
    return {
      edit(files) {
        const before = new Map(all);
        editSome(all, files);
        return editsOf(new Map([...all].filter(([path, lines]) => before.get(path) !== lines)));
      },
      branch,
      takeOver() {
        for (const [path, lines] of all) put(path, lines);
        return editsOf(all);
      },
    };
  }

  return {
    edit(files) {
      const own = new Map<string, Lines | null>();
      editSome(own, files);
      for (const [path, lines] of own) put(path, lines);
      return editsOf(own);
    },
    branch,
  };
}

function inventLines(random: Random, count: number): string[] {
  return Array.from({ length: count }, () => words(random, 2 + random.below(4)));
}

function changeLines(random: Random, lines: Lines): string[] {
  const changed = [...lines];
  const removed = random.below(changed.length > LONGEST_FILE ? 60 : 5);
  const added = inventLines(random, 1 + random.below(7));
  changed.splice(random.below(changed.length + 1), removed, ...added);
  return changed;
}
