import { describe, expect, it } from 'vitest';
import { createBus } from '../../src/agent/bus.ts';
import { createLogger } from '../../src/lib/log.ts';
import { appKey } from '../helpers/key.ts';

describe('the bus of the agent', () => {
  it('tells all who listen, in the order in which they came, before it returns', () => {
    const bus = createBus(createLogger('error', () => undefined));
    const heard: string[] = [];
    bus.on('app-synced', ({ app }) => heard.push(`first ${app}`));
    bus.on('app-synced', ({ app }) => heard.push(`second ${app}`));
    bus.on('canary-gone', ({ app }) => heard.push(`gone ${app}`));
    bus.tell('app-synced', { app: appKey('demo/app') });
    expect(heard).toEqual(['first demo/app', 'second demo/app']);
  });

  it('goes on where one of them throws, and says so', () => {
    const lines: string[] = [];
    const bus = createBus(createLogger('error', (line) => lines.push(line)));
    const heard: string[] = [];
    bus.on('claim-freed', () => {
      throw new Error('a bug');
    });
    bus.on('claim-freed', ({ source }) => heard.push(source));
    bus.tell('claim-freed', { source: 'shop' });
    expect(heard).toEqual(['shop']);
    expect(lines.map((line) => JSON.parse(line) as { error: string })).toMatchObject([{ error: 'a bug' }]);
  });

  it('keeps nothing for who comes later', () => {
    const bus = createBus(createLogger('error', () => undefined));
    bus.tell('outcome-landed', { source: 'shop' });
    bus.on('outcome-landed', () => expect.unreachable());
  });
});
