/**
 * The query language of `q` as far as the facts go (3.3): `= != ~ !~ > >= < <= IN NOT IN`, `AND OR`, parentheses,
 * double-quoted strings, numbers, null, true/false, unquoted ISO 8601, lists.
 */
export type Literal = string | number | boolean | null;
export type Comparison = '=' | '!=' | '~' | '!~' | '>' | '>=' | '<' | '<=' | 'IN' | 'NOT IN';

export type Query =
  | { kind: 'and' | 'or'; left: Query; right: Query }
  | { kind: 'compare'; field: string; operator: Comparison; values: Literal[] };

export class QuerySyntaxError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'QuerySyntaxError';
  }
}

type Token = { kind: 'word' | 'string' | 'number' | 'date' | 'sign'; text: string };

const TOKEN =
  /\s*(?:(?<string>"(?:[^"\\]|\\.)*")|(?<date>\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?)|(?<number>-?\d+(?:\.\d+)?)|(?<word>[A-Za-z_][\w.]*)|(?<sign>!=|!~|>=|<=|[=~<>(),]))/y;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length && text.slice(at).trim() !== '') {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined)
      throw new QuerySyntaxError(`cannot read the query at ${text.slice(at, at + 20)}`);
    at = TOKEN.lastIndex;
    for (const kind of ['string', 'date', 'number', 'word', 'sign'] as const) {
      const found = groups[kind];
      if (found !== undefined) tokens.push({ kind, text: found });
    }
  }
  return tokens;
}

function literal(token: Token | undefined): Literal {
  if (token === undefined) throw new QuerySyntaxError('a value is missing');
  if (token.kind === 'string') return token.text.slice(1, -1).replaceAll(/\\(.)/gs, '$1');
  if (token.kind === 'number') return Number(token.text);
  if (token.kind === 'date') return token.text;
  const word = token.text.toLowerCase();
  if (word === 'null') return null;
  if (word === 'true' || word === 'false') return word === 'true';
  throw new QuerySyntaxError(`not a value: ${token.text}`);
}

/** Parses one query. Throws {@link QuerySyntaxError}. AND binds tighter than OR. */
export function parseQuery(text: string): Query {
  const tokens = tokenize(text);
  let at = 0;
  const peek = (): Token | undefined => tokens[at];
  const isWord = (token: Token | undefined, word: string): boolean =>
    token?.kind === 'word' && token.text.toUpperCase() === word;
  const take = (sign: string): void => {
    if (peek()?.text !== sign) throw new QuerySyntaxError(`expected ${sign}`);
    at += 1;
  };

  function list(): Literal[] {
    take('(');
    const values = [literal(tokens[at++])];
    while (peek()?.text === ',') {
      at += 1;
      values.push(literal(tokens[at++]));
    }
    take(')');
    return values;
  }

  function comparison(): Query {
    const field = tokens[at++];
    if (field?.kind !== 'word') throw new QuerySyntaxError('a field name is missing');
    const operator = tokens[at++];
    if (isWord(operator, 'IN')) return { kind: 'compare', field: field.text, operator: 'IN', values: list() };
    if (isWord(operator, 'NOT') && isWord(peek(), 'IN')) {
      at += 1;
      return { kind: 'compare', field: field.text, operator: 'NOT IN', values: list() };
    }
    const sign = operator?.text;
    switch (sign) {
      case '=':
      case '!=':
      case '~':
      case '!~':
      case '>':
      case '>=':
      case '<':
      case '<=':
        return { kind: 'compare', field: field.text, operator: sign, values: [literal(tokens[at++])] };
      default:
        throw new QuerySyntaxError(`not an operator: ${sign ?? 'end of query'}`);
    }
  }

  function factor(): Query {
    if (peek()?.text !== '(') return comparison();
    take('(');
    const inner = either();
    take(')');
    return inner;
  }

  function both(): Query {
    let left = factor();
    while (isWord(peek(), 'AND')) {
      at += 1;
      left = { kind: 'and', left, right: factor() };
    }
    return left;
  }

  function either(): Query {
    let left = both();
    while (isWord(peek(), 'OR')) {
      at += 1;
      left = { kind: 'or', left, right: both() };
    }
    return left;
  }

  const query = either();
  if (at < tokens.length) throw new QuerySyntaxError(`unexpected ${tokens[at]?.text ?? ''}`);
  return query;
}
