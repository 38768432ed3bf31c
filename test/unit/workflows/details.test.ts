import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  clock,
  escapeName,
  importDetails,
  integrationDetails,
  repositoryDetails,
  summary,
} from '../../../workflows/details.ts';
import * as ids from '../../../workflows/ids.ts';
import { INTEGRATION_STATES } from '../../../workflows/words.ts';

const NOW = Date.UTC(2026, 10, 23, 13, 30);

describe('texts for the operator', () => {
  test('a time of today is short, one of another day has its date', () => {
    expect(clock(Date.UTC(2026, 10, 23, 14, 5), NOW)).toBe('14:05 UTC');
    expect(clock(Date.UTC(2026, 10, 24, 0, 5), NOW)).toBe('2026-11-24 00:05 UTC');
  });

  test('a repository is a small table, with what is left and when it is likely to end', () => {
    const text = repositoryDetails({
      fullName: 'acme/web',
      doing: 'reads pull_requests',
      progress: {
        records: 1_200,
        requests: 26,
        expected: 2_400,
        requestsLeft: 1_024,
        estimatedEnd: '2026-11-23T14:05:10.000Z',
      },
      resumesAt: null,
      nowMs: NOW,
    });
    expect(text).toBe(
      [
        String.raw`**acme/web** – reads pull_requests`,
        '',
        '| | |',
        '|---|---|',
        '| done | 50 % |',
        '| known total | 2,400 |',
        '| records | 1,200 |',
        '| requests | 26 |',
        '| requests left | 1,024 |',
        '| estimated end | 14:05 UTC |',
        '| resumes at | – |',
      ].join('\n'),
    );
  });

  test('names cannot break out of the table, nor bring markup', () => {
    expect(escapeName('a|b\n<script>[x](y)`*')).toBe(String.raw`a\|b &lt;script&gt;\[x\]\(y\)` + '\\`\\*');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const text = importDetails({
          title: name,
          doing: 'imports',
          total: 1,
          completed: 0,
          failed: 0,
          records: 0,
          requests: 0,
          nowMs: NOW,
          inHand: [name],
        });
        expect(text.split('\n')).toHaveLength(10);
        expect(text).not.toMatch(/[<>]/);
      }),
    );
  });

  test('a summary is one line of at most 120 characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        const line = summary(text);
        expect(Array.from(line).length).toBeLessThanOrEqual(120);
        expect(line).not.toMatch(/[\n\r\u2028]/);
      }),
    );
  });

  test('every state says what it waits for', () => {
    const texts = INTEGRATION_STATES.map((state) =>
      integrationDetails({
        name: 'A',
        state,
        services: [],
        runningImports: 0,
        refusals: 0,
        nextTimer: null,
      }),
    );
    expect(new Set(texts).size).toBe(INTEGRATION_STATES.length);
  });
});

describe('workflow ids', () => {
  const make = [
    ids.integrationWorkflowId,
    ids.connectionCheckWorkflowId,
    ids.discoveryWorkflowId,
    ids.lookUpWorkflowId,
    ids.importWorkflowId,
    ids.importRepositoryWorkflowId,
  ];

  test('never collide, whatever runs for whichever thing', () => {
    fc.assert(
      fc.property(fc.array(fc.uuid(), { minLength: 1, maxLength: 5 }), (things) => {
        const unique = [...new Set(things)];
        const all = unique.flatMap((thing) => make.map((id) => id(thing)));
        expect(new Set(all).size).toBe(all.length);
      }),
    );
  });

  test('stay far below the 200 characters that every store of Temporal takes', () => {
    for (const id of make) expect(id('0'.repeat(36)).length).toBeLessThan(100);
  });
});
