import { randomBytes } from 'node:crypto';

/** A secret unlike any other text, with what encodings and escapes stumble over. */
export const wild = (name: string): string =>
  `${name} "q'\\ %41+&=/?#<b>é🔑 ${randomBytes(9).toString('hex')}`;

/** The same for tokens, which are visible ASCII. */
export const wildToken = (name: string): string =>
  `${name}"q'\\%41+&=/?#<b>${randomBytes(9).toString('hex')}`;
