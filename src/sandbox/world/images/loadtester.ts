import { startLoadtester } from '../../../loadtester/loadtester.ts';
import { createClusterClient } from './cluster-client.ts';
import { type DemoImage, flag } from './image.ts';

/** A fast clock must not turn a gentle load into one that takes the whole machine. */
export const gentlePace = { maxWorkers: 64, minGapMs: 10 };

/** The load tester as an image: its arguments are those of Flagger's. */
export const loadtester: DemoImage = {
  has: (tag) => /^(v?\d+(\.\d+){0,2}([-+].*)?|latest)$/.test(tag),
  start: ({ args, clock, log, lookUp }) => {
    const port = Number(flag(args, 'port') ?? '9090');
    const allowed = flag(args, 'namespace-regexp');
    const client = createClusterClient(lookUp);
    const program = startLoadtester({ port, allowed, clock, log, client, pace: gentlePace });
    return { kind: 'serve', ports: [port], ...program };
  },
};
