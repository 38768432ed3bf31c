import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { chooseSuites } from '../../../scripts/testing/soakSuites.ts';

const FAULTS = 'test/integration/faults';

test('a soak run takes every project that has tests over seeds, and each file of the folder of faults', () => {
  const suites = chooseSuites([]);
  expect(suites.map(({ project }) => project)).toEqual(['unit', 'integration', 'e2e', 'timed']);
  expect(suites[1]?.files).toEqual(
    expect.arrayContaining([`${FAULTS}/answers.test.ts`, `${FAULTS}/wholeImports.test.ts`]),
  );
});

test('no test that asks for seeds is left out of a soak run', async () => {
  const tests = fileURLToPath(new URL('../../', import.meta.url));
  const chosen = chooseSuites([]).flatMap(({ files }) => files);
  const names = (await readdir(tests, { recursive: true })).filter((name) => name.endsWith('.test.ts'));
  const asking: string[] = [];
  for (const name of names) {
    const text = await readFile(`${tests}${name}`, 'utf8');
    if (/support\/seeds\.ts'|process\.env\['MODEL_RUNS'\]/.test(text)) asking.push(`test/${name}`);
  }
  expect(asking).not.toEqual([]);
  expect(asking.filter((name) => !chosen.includes(name))).toEqual([]);
});

test.each([
  ['wholeImports', `${FAULTS}/wholeImports.test.ts`],
  [`${FAULTS}/answers`, `${FAULTS}/answers.test.ts`],
  ['faults/answers.test.ts', `${FAULTS}/answers.test.ts`],
  [`/anywhere/${FAULTS}/answers.test.ts`, `${FAULTS}/answers.test.ts`],
  ['driftOrders', 'test/integration/streams/driftOrders.test.ts'],
])('%s alone is enough to name a file', (part, file) => {
  expect(chooseSuites([part])).toEqual([{ project: 'integration', files: [file] }]);
});

test('several parts choose what any of them names, and what none names is refused with the files that there are', () => {
  expect(chooseSuites(['randomBytes', 'e2e/wizard'])).toEqual([
    { project: 'unit', files: ['test/unit/git/randomBytes.test.ts'] },
    { project: 'e2e', files: ['test/e2e/wizard.test.ts'] },
  ]);
  expect(() => chooseSuites(['randomBytes', 'wholeImport5'])).toThrow(
    /wholeImport5[^]*test\/integration\/faults\/wholeImports\.test\.ts/,
  );
});
