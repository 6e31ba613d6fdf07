import { startLoadtester } from '../../../loadtester/loadtester.ts';
import { type DemoImage, flag } from './image.ts';

/** The load tester as an image: its arguments are those of Flagger's. */
export const loadtester: DemoImage = {
  has: (tag) => /^(v?\d+(\.\d+){0,2}([-+].*)?|latest)$/.test(tag),
  start: ({ args, clock, log, lookUp }) => {
    const port = Number(flag(args, 'port') ?? '9090');
    const program = startLoadtester({ port, allowed: flag(args, 'namespace-regexp'), clock, log, lookUp });
    return { kind: 'serve', ports: [port], ...program };
  },
};
