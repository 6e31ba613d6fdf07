import { expect, it } from 'vitest';
import { documentFiles, documentLines, expectTold } from './documents.ts';
import { canary, image } from './look.ts';
import { outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, onceMore, type Stage } from './stage.ts';

const app = { namespace: 'quotes', name: 'quotesbackend' };
const folder = '000-quotes-linkerd';
const backend = `apps/${folder}/backend.yaml`;
// The second is a matter of timing.
const unmentioned = ['all the metrics providers are available!', 'Waiting for quotesbackend'];

/** Answers of Prometheus about requests to the canary within the metric's window. */
async function requestRate({ sandbox }: Stage): Promise<readonly unknown[]> {
  const query = 'sum(rate(response_total{namespace="quotes",deployment="quotesbackend"}[1m]))';
  const response = await fetch(`${sandbox.prometheusUrl}/api/v1/query?query=${encodeURIComponent(query)}`);
  return ((await response.json()) as { data: { result: readonly unknown[] } }).data.result;
}

it('the quotes of the Linkerd walk-through are promoted and rolled back with its events', onceMore, async () => {
  const files = await documentFiles(...['namespace', 'backend', 'canary'].map((name) => `${folder}/${name}.yaml`));
  const flags = { 'mesh-provider': 'linkerd', 'default-namespace': 'quotes' };
  await onStage({ files, flags, routing: 'smi', speed: 30, perSecond: 4 }, async (stage) => {
    const silences = (from: number): number =>
      stage.happened.slice(from).filter(({ message }) => message.startsWith('Halt advancement no values found')).length;
    await stage.until('the Star Wars quotes run', () => canary(stage, app).phase === 'Initialized');

    await stage.edit('Star Trek quotes', backend, (text) => text.replace('quotesbackend:1', 'quotesbackend:2'));
    // Somebody opens the page, but late.
    await stage.until('two checks without traffic', () => silences(0) === 2);
    stage.ask('quotesbackend.quotes:3000');
    await stage.until('the promotion', () => canary(stage, app).phase === 'Succeeded');
    const success = await documentLines(`${folder}/success.txt`);
    // The last row stands for three texts: two of them cannot be read any more.
    const folded = [
      'Copying quotesbackend.quotes template spec to quotesbackend-primary.quotes',
      'Routing all traffic to primary',
    ];
    expectTold(stage, success.toSpliced(-1, 0, ...folded), { unmentioned });
    expect(silences(0)).toBe(2);
    expect(image(stage, 'quotesbackend-primary', 'quotes')).toBe('quotesbackend:2');
    expect((await outcome(stage, 1)).subject).toMatch(/^promote quotes\/quotesbackend 2/);

    const from = stage.happened.length;
    await stage.hush();
    await stage.until('the last requests are out of the window', async () => (await requestRate(stage)).length === 0);
    await stage.edit('quotes with a bug', backend, (text) => text.replace('value: "0"', 'value: "1"'));
    await stage.until('two checks without traffic', () => silences(from) === 2);
    stage.ask('quotesbackend.quotes:3000');
    await stage.until('the rollback', () => canary(stage, app).phase === 'Failed');
    // Rows of the second release; its first two steps stand in one row with those of the first, in no order.
    const failure = (await documentLines(`${folder}/failure.txt`)).slice(9);
    const [detected = '', advance = '', start = '', ...rest] = failure;
    expectTold(stage, [detected, start, advance, ...rest], { from, unmentioned });
    expect(silences(from)).toBe(2);
    expect(image(stage, 'quotesbackend-primary', 'quotes')).toBe('quotesbackend:2');
    const { subject, trailers } = await outcome(stage, 2);
    expect(subject).toMatch(/^rollback quotes\/quotesbackend .*: success rate .*% < 99%$/);
    expect(trailers).toMatchObject({ Verdict: 'rolled-back' });
    expect(await stage.file(backend)).toContain('value: "0"');
    await expectSound(stage);
  });
});
