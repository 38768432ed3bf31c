const FILE = '_FILE';

/**
 * The environment of a child: what the person has set, and over it what `npm start` sets. A secret may be given in
 * two ways (`NAME`, or `NAME_FILE` with its path), and both at once are refused; so where one of them is set here,
 * the person's other one is left out.
 */
export function childEnvironment(
  persons: NodeJS.ProcessEnv,
  set: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const twins = new Set(
    Object.keys(set).map((name) => (name.endsWith(FILE) ? name.slice(0, -FILE.length) : `${name}${FILE}`)),
  );
  const kept = Object.entries(persons).filter(([name]) => !twins.has(name));
  return { ...Object.fromEntries(kept), ...set };
}
