import type { SchemaNode } from './document.ts';

const isNode = (value: unknown): value is SchemaNode =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const nodes = (value: unknown): SchemaNode[] => (Array.isArray(value) ? value.filter(isNode) : []);

/** A JSON schema as an outline that people read: one line a field, with its type and what it means. */
export function outline(root: SchemaNode, schemas: Record<string, SchemaNode>): string {
  /** Follows a reference; a schema within itself is only named. */
  function resolve(node: SchemaNode, seen: readonly string[]): { node: SchemaNode; seen: readonly string[] } {
    const name = node.$ref?.split('/').at(-1);
    const target = name === undefined ? undefined : schemas[name];
    if (name === undefined || target === undefined || seen.includes(name)) return { node, seen };
    return { node: target, seen: [...seen, name] };
  }

  function typeOf(node: SchemaNode): string {
    if (node.$ref !== undefined) return node.$ref.split('/').at(-1) ?? '';
    if (Array.isArray(node['enum'])) return node['enum'].map((value) => JSON.stringify(value)).join(' | ');
    if ('const' in node) return JSON.stringify(node['const']);
    const types = Array.isArray(node.type) ? node.type : [node.type];
    const format = typeof node['format'] === 'string' ? ` (${node['format']})` : '';
    return types.filter((type) => typeof type === 'string').join(' or ') + format;
  }

  function write(given: SchemaNode, indent: string, above: readonly string[]): string {
    const { node, seen } = resolve(given, above);
    const all = nodes(node['allOf']);
    if (all.length > 0) return all.map((part) => write(part, indent, seen)).join('');
    const forms = [...nodes(node['oneOf']), ...nodes(node['anyOf'])].filter((form) => form.type !== 'null');
    if (forms.length > 0) return forms.map((form) => write(form, indent, seen)).join(`${indent}or\n`);
    if (isNode(node['items'])) return write(node['items'], indent, seen);
    if (!isNode(node['properties'])) return indent === '' ? `${typeOf(node)}\n` : '';
    const required = Array.isArray(node['required']) ? node['required'] : [];
    return Object.entries(node['properties'])
      .filter((entry): entry is [string, SchemaNode] => isNode(entry[1]))
      .map(([name, property]) => {
        const optional = required.includes(name) ? '' : '?';
        const list = resolve(property, seen).node.type === 'array' ? '[]' : '';
        const meaning = typeof property['description'] === 'string' ? `  – ${property['description']}` : '';
        const inner = write(property, `${indent}  `, seen);
        return `${indent}${name}${optional}${list}: ${inner === '' ? typeOf(resolve(property, seen).node) : ''}${meaning}\n${inner}`;
      })
      .join('');
  }

  return write(root, '', []);
}
