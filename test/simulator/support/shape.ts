/** Which types stand at each place of some JSON: `values/#/author/uuid` to `string`. Lists are one place, `#`. */
export type Shape = Map<string, Set<string>>;

/** Adds what one value shows. Keys under `open` places are data rather than names and count as `*`. */
export function addShape(shape: Shape, value: unknown, open: RegExp, place = ''): void {
  const types = shape.get(place) ?? new Set();
  shape.set(place, types.add(typeName(value)));
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    const name = Array.isArray(value) ? '#' : open.test(place) ? '*' : key;
    addShape(shape, child, open, place === '' ? name : `${place}/${name}`);
  }
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  return typeof value;
}

export interface ShapeDifferences {
  /** Recorded, and never in our answers. */
  missing: string[];
  /** In our answers, and in no recording. */
  invented: string[];
  /** `place: our type, not recorded types`. Null counts as a type. */
  otherType: string[];
}

/** Compares only below places that both have: a key missing above is told once. */
export function compareShapes(recorded: Shape, ours: Shape): ShapeDifferences {
  const above = (place: string) => place.slice(0, Math.max(0, place.lastIndexOf('/')));
  const known = (shape: Shape, place: string) => place === '' || shape.has(place);
  const hasChildren = (shape: Shape, place: string) =>
    ['object', 'list'].some((type) => shape.get(place)?.has(type)) &&
    [...shape.keys()].some((other) => other.startsWith(place === '' ? '' : `${place}/`) && other !== place);
  const missing = [...recorded.keys()].filter(
    (place) => !ours.has(place) && known(ours, above(place)) && hasChildren(ours, above(place)),
  );
  const invented = [...ours.keys()].filter(
    (place) => !recorded.has(place) && known(recorded, above(place)) && hasChildren(recorded, above(place)),
  );
  const otherType = [...ours].flatMap(([place, types]) => {
    const allowed = recorded.get(place);
    const other = allowed ? [...types].filter((type) => !allowed.has(type)) : [];
    return other.map((type) => `${place}: ${type}, not ${[...(allowed ?? [])].join(' or ')}`);
  });
  return { missing, invented, otherType };
}
