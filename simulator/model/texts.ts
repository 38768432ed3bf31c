import type { Random } from './random.ts';

const VERBS =
  'Add,Fix,Remove,Rename,Speed up,Document,Rewrite,Revert,Guard,Cache,Retry,Log,Split,Merge,Upgrade,Test'.split(
    ',',
  );
const THINGS =
  'the login form,rate limiting,invoice export,the retry loop,currency rounding,the search index,time zones,the nightly job,error pages,the payment webhook,user avatars,the feature flags,report totals,session expiry,the upload queue,CSV import'.split(
    ',',
  );
const REASONS =
  'so that nightly runs finish in time,because two customers saw wrong totals,after the incident of last week,to prepare the move to the new billing service,as agreed in planning,which unblocks the mobile team'.split(
    ',',
  );
const REMARKS =
  'Looks good to me.,Could we cover this with a test?,Nice find!,I would name this after what it returns.,Does this hold for an empty list?,Why not reuse the helper next door?,Please rebase first.,Works on my machine (tried with 10k rows).'.split(
    ',',
  );

/** Beyond ASCII in every way that stores stumble over: astral, right-to-left, combining, emoji sequences, controls. */
const ODD_TEXTS = [
  'Emoji 🚀👩‍👩‍👧‍👦 and astral 𐍈𝔘𠜎',
  'Right to left: مرحبا بالعالم / שלום עולם',
  'Combining: e\u0301 n\u0303 is not é ñ, ﬁ is one letter',
  'Quotes "double" \'single\' `back` and back\\slash\ttab',
  'Zero\u200bwidth \u202eoverride\u202c and nbsp\u00a0end',
  "'; DROP TABLE pull_requests; --",
  '',
];

/** What Postgres refuses in text: a NUL, a lone high and a lone low surrogate. */
const REFUSED_TEXTS = ['NUL inside:\u0000 here', 'lone high \ud83d surrogate', 'lone low \ude80 surrogate'];

/** A short line; one in about forty is odd, one in about two hundred is refused by Postgres. */
export function titleText(random: Random, number: number): string {
  if (number % 41 === 7) return random.pick(ODD_TEXTS) || `Untitled ${number}`;
  if (number % 211 === 9) return random.pick(REFUSED_TEXTS);
  return `${random.pick(VERBS)} ${random.pick(THINGS)}`;
}

/** Some sentences of markdown, about 200 to 600 characters. */
export function bodyText(random: Random, number: number): string {
  if (number % 53 === 11) return '';
  const lines: string[] = [];
  const count = 2 + random.below(4);
  for (let line = 0; line < count; line += 1) {
    lines.push(
      `${random.pick(VERBS)} ${random.pick(THINGS)} ${random.pick(REASONS)}. ${random.pick(REMARKS)}`,
    );
  }
  if (number % 37 === 5) lines.push(random.pick(ODD_TEXTS));
  return lines.join('\n\n');
}

/** A remark of one or two sentences; now and then odd or refused by Postgres. */
export function commentText(random: Random): string {
  const roll = random.below(400);
  if (roll < 8) return random.pick(ODD_TEXTS) || '👍';
  if (roll === 8) return random.pick(REFUSED_TEXTS);
  return random.chance(0.3) ? `${random.pick(REMARKS)} ${random.pick(REMARKS)}` : random.pick(REMARKS);
}

const PATHS = [
  'src/app.ts',
  'src/billing/invoice.ts',
  'docs/read me.md',
  'src/ünïcode/naïve.ts',
  'test/app.test.ts',
];

export function filePath(random: Random): string {
  return random.pick(PATHS);
}
