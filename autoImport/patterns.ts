import { RE2JS, RE2JSException } from 're2js';

/**
 * Patterns come from people, and a JavaScript RegExp may take for ever over one (`(a+)+$`). These are of RE2, whose time
 * grows with the length of the text alone; `re2js` is RE2 in plain JavaScript, so that nothing is built at installation.
 */
export interface Pattern {
  source: string;
  isIn(text: string): boolean;
}

/** Instructions that a compiled pattern may have: the time for one character grows with them. */
const MAX_PROGRAM = 500;

/** Why a pattern cannot be used, and what to do. */
export interface PatternFault {
  message: string;
  fix: string;
}

const SYNTAX = 'It is written as RE2 has it (https://github.com/google/re2/wiki/Syntax)';

/** Names that have nothing in common: a pattern that is in each of them is in every name. */
const UNLIKE = ['a', 'Z', '7', '-', '_', '.', 'é'];

/** A pattern that was looked at when it was saved. Throws for one that RE2 does not take. */
export function compilePattern(source: string): Pattern {
  const compiled = RE2JS.compile(source);
  return { source, isIn: (text) => compiled.test(text) };
}

/** What is wrong with a pattern; `undefined`: nothing. */
export function faultOf(source: string): PatternFault | undefined {
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    return {
      message: `This is no pattern: ${error.message.replace(/^error parsing regexp: /, '')}.`,
      fix: `${SYNTAX}: without look-around and back-references, and repeated at most 1000 times.`,
    };
  }
  if (compiled.programSize() > MAX_PROGRAM) {
    return {
      message: 'This pattern is too large once its repetitions are written out.',
      fix: 'Repeat less, or split it into several patterns.',
    };
  }
  if (UNLIKE.every((name) => compiled.test(name))) {
    return {
      message: 'This pattern is in every name, so the rule would take nothing.',
      fix: 'Say what the name has to have, as in `^legacy-`; a rule that shall take nothing takes `none`.',
    };
  }
  return undefined;
}
