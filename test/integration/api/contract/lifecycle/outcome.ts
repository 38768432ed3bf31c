import { expect, test } from 'vitest';
import { call } from '../../../../support/apiWorld.ts';
import type { Line } from './line.ts';

export function testOutcome(line: Line): void {
  test('the completeness report: every record that the source announces is accounted for', async () => {
    const { body } = await call('GET', `/v1/imports/${line.importId}/completeness`);
    expect(body).toMatchObject({ status: 'complete', adds_up: true, not_complete: [] });
    expect(body.streams.map(({ stream }: { stream: string }) => stream)).toContain('pull_requests');
    for (const total of body.streams) {
      expect(total.expected, total.stream).toBe(
        total.stored + total.quarantined + total.gone + total.not_permitted,
      );
      expect([total.missing, total.surplus]).toEqual([0, 0]);
    }
    const { data } = (await call('GET', `/v1/imports/${line.importId}/repositories`)).body;
    const one = await call('GET', `/v1/repositories/${data[0].repository_id}/completeness`);
    expect(one.body).toMatchObject({
      import_id: line.importId,
      status: 'complete',
      adds_up: true,
      error: null,
    });
    for (const stream of one.body.streams) {
      expect([stream.status, stream.adds_up]).toEqual(
        stream.status === 'unavailable' ? ['unavailable', null] : ['complete', true],
      );
      if (stream.status === 'complete') expect(stream.expected_basis.text).not.toBe('Not described.');
    }
  });

  test('the event stream resumes after the last event seen, and says when there is no more', async () => {
    const path = `/v1/imports/${line.importId}/events`;
    const idsOf = (text: string): number[] =>
      [...text.matchAll(/^id: (\d+)$/gm)].map(([, value]) => Number(value));
    const all = idsOf((await call('GET', path)).body);
    expect(all).toEqual(all.toSorted((a, b) => a - b));
    const middle = all[Math.floor(all.length / 2)]!;
    const rest = await call('GET', path, undefined, { headers: { 'Last-Event-ID': String(middle) } });
    expect(idsOf(rest.body)).toEqual(all.filter((value) => value > middle));
    // Numbers of this import; of one that it never told, everything is told again rather than nothing.
    expect(all).toEqual(all.map((_, index) => index + 1));
    const unknown = await call('GET', path, undefined, { headers: { 'Last-Event-ID': '999999999999' } });
    expect(idsOf(unknown.body)).toEqual(all);
    const end = await call('GET', path, undefined, { headers: { 'Last-Event-ID': String(all.at(-1)) } });
    expect(end.status).toBe(204);
    expect((await call('GET', path, undefined, { headers: { 'Last-Event-ID': 'x' } })).status).toBe(400);
  });
}
