/**
 * The `fields` parameter (facts 3.3): `a,b.c` keeps only those, `-a` removes, `+a` adds; `*` stands for one level.
 */
export interface FieldSelection {
  keep: string[][];
  remove: string[][];
  add: string[][];
}

export function parseFields(text: string | null): FieldSelection | undefined {
  if (text === null || text.trim() === '') return undefined;
  const selection: FieldSelection = { keep: [], remove: [], add: [] };
  for (const part of text.split(',')) {
    const entry = part.trim();
    if (entry === '') continue;
    if (entry.startsWith('-')) selection.remove.push(entry.slice(1).split('.'));
    else if (entry.startsWith('+')) selection.add.push(entry.slice(1).split('.'));
    // An unescaped plus arrives as a space: then the field is kept, not added, as on the real host.
    else selection.keep.push(entry.split('.'));
  }
  return selection;
}

/** Whether a part that the list leaves out is asked for by `+` or by name. `values` alone asks for no more than usual. */
export function asksFor(selection: FieldSelection | undefined, path: string): boolean {
  if (selection === undefined) return false;
  const segments = path.split('.');
  const names = (pattern: string[]): boolean =>
    pattern.length >= segments.length &&
    segments.every((segment, index) => pattern[index] === segment || pattern[index] === '*');
  return selection.add.some(names) || selection.keep.some(names);
}

type Node = Record<string, unknown>;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lists count as no level of their own. */
function project(value: unknown, patterns: readonly string[][]): unknown {
  if (patterns.some((pattern) => pattern.length === 0)) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => project(item, patterns));
  if (!isNode(value)) return value;
  const result: Node = {};
  for (const [key, child] of Object.entries(value)) {
    const inner = patterns
      .filter((pattern) => pattern[0] === key || pattern[0] === '*')
      .map((pattern) => pattern.slice(1));
    if (inner.length > 0) result[key] = project(child, inner);
  }
  return result;
}

/** Names by level; null: the whole part goes. */
type Removal = Map<string, Removal | null>;

function removalOf(patterns: readonly string[][]): Removal {
  const root: Removal = new Map();
  for (const pattern of patterns) {
    let level = root;
    pattern.forEach((name, index) => {
      const known = level.get(name);
      if (known === null) return;
      if (index === pattern.length - 1) {
        level.set(name, null);
        return;
      }
      const inner: Removal = known ?? new Map();
      level.set(name, inner);
      level = inner;
    });
  }
  return root;
}

/** Takes the parts out of the value itself. */
function strip(value: unknown, removal: Removal): void {
  if (Array.isArray(value)) {
    for (const item of value) strip(item, removal);
    return;
  }
  if (!isNode(value)) return;
  for (const [name, inner] of removal) {
    for (const key of name === '*' ? Object.keys(value) : [name]) {
      if (inner === null) delete value[key];
      else if (key in value) strip(value[key], inner);
    }
  }
}

/** Applies keeping and removing to rendered text. Adding is the renderer's business, and costs nothing here. */
export function applyFields(body: string, selection: FieldSelection | undefined): string {
  if (selection === undefined || (selection.keep.length === 0 && selection.remove.length === 0)) return body;
  let value: unknown = JSON.parse(body);
  if (selection.keep.length > 0) value = project(value, [...selection.keep, ...selection.add]);
  strip(value, removalOf(selection.remove));
  return JSON.stringify(value);
}
