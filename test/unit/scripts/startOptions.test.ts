import { expect, test } from 'vitest';
import { BadOptions, helpOf, parseOptions } from '../../../scripts/start/options.ts';

test('without arguments the small demo runs and stays up', () => {
  expect(parseOptions([])).toEqual({
    exitWhenDone: false,
    summaryFile: undefined,
    reset: false,
    size: 'small',
    repositories: [],
    data: undefined,
    bitbucket: false,
  });
});

test('repositories may be named several times', () => {
  expect(parseOptions(['--repository', 'a', '--repository', 'b'])).toMatchObject({
    repositories: ['a', 'b'],
  });
});

test.each([
  [['--size', 'huge'], /small, medium, large/],
  [['--sise', 'small'], /--sise/],
  [['--bitbucket', '--repository', 'a'], /leave one out/],
])('%j is refused with what is allowed', (args, message) => {
  expect(() => parseOptions(args)).toThrow(BadOptions);
  expect(() => parseOptions(args)).toThrow(message);
});

test('help is asked for by --help and -h', () => {
  expect([parseOptions(['--help']), parseOptions(['-h'])]).toEqual(['help', 'help']);
});

test('npm run dev has no demo, so it refuses the options of the demo and does not show them', () => {
  for (const args of [['--exit-when-done'], ['--summary', 'file']]) {
    expect(() => parseOptions(args, 'dev')).toThrow(BadOptions);
    expect(helpOf('dev')).not.toContain(args[0]);
    expect(helpOf('start')).toContain(args[0]);
  }
  expect(parseOptions(['--size', 'medium'], 'dev')).toMatchObject({ size: 'medium', exitWhenDone: false });
});
