import type { AgentDoor } from '../../src/ui/questions.ts';
import { nowMs } from './fleet-fixture.ts';

const commit = 'd'.repeat(40);
const image = (tag: string): string => `registry.example.test/cart:${tag}`;

const fileWith = (tag: string): string => `spec:\n  containers:\n    - name: app\n      image: ${image(tag)}\n`;
const changed = { path: 'apps/cart.yaml', texts: { before: fileWith('2.1.1'), after: fileWith('2.1.0') } };

/** What an agent answers of shop/cart on an ordinary day. */
export const anAgent: Partial<AgentDoor> = {
  pods: async () => [
    {
      name: 'cart-primary-6d9f7c5b8-x2x9k',
      role: 'primary',
      images: [image('2.1.0')],
      isReady: true,
      restarts: 0,
      reason: undefined,
      madeAtMs: nowMs - 86_400_000,
    },
    {
      name: 'cart-7b5c9d4f6-q8w7e',
      role: 'canary',
      images: [image('2.1.2')],
      isReady: true,
      restarts: 0,
      reason: undefined,
      madeAtMs: nowMs - 150_000,
    },
    {
      name: 'cart-7b5c9d4f6-z1x2c',
      role: 'canary',
      images: [image('2.1.2')],
      isReady: false,
      restarts: 2,
      reason: 'CrashLoopBackOff: back-off 20s restarting failed container',
      madeAtMs: nowMs - 150_000,
    },
  ],
  podLog: async () => ['listening on :8080', 'connect ECONNREFUSED 10.0.4.12:5432', 'panic: no database'],
  textInGit: async () => ({
    path: 'apps/cart.yaml',
    line: 41,
    text: 'apiVersion: flagger.app/v1beta1\nkind: Canary\nspec:\n  analysis:\n    threshold: 5\n',
  }),
  history: async () => [
    {
      namespace: 'shop',
      name: 'cart',
      atMs: nowMs - 3_600_000,
      verdict: 'rolled-back',
      revision: 'c'.repeat(40),
      by: 'Ada Lovelace',
      commit,
      subject: 'rollback shop/cart 2.1.1: success rate 91.40% < 99%',
      changed: { images: [{ container: 'app', from: image('2.1.0'), to: image('2.1.1') }], others: [] },
      failedCheck: 'success rate 91.40% < 99%',
      asked: [],
      evidence: ['  time      weight  result  check', '  19:14:10  20%     FAILED  request-success-rate'],
      supersedes: [],
      cluster: 'production',
    },
  ],
  changedBy: async () => ({ files: [changed], truncated: false }),
  images: async () => [
    {
      container: 'app',
      image: image('2.1.0'),
      now: '2.1.0',
      policy: 'semver:~2.1',
      wanted: '2.1.2',
      state: 'due',
      reason: 'waits for the release under way to end',
      hold: undefined,
      problem: undefined,
      tags: [
        { tag: '2.2.0', reason: 'outside of ~2.1' },
        { tag: '2.1.2', reason: 'the newest of ~2.1' },
        { tag: '2.1.1', reason: 'in quarantine: success rate 91.40% < 99%' },
        { tag: '2.1.0', reason: 'the current one' },
      ],
    },
  ],
  planned: async (act) =>
    act.kind === 'release' || act.kind === 'set'
      ? { kind: 'commit', message: 'release shop/cart 2.1.2', files: [changed] }
      : { kind: 'annotations', annotations: { 'serin.dev/hold': '{"release":"b"}' }, said: 'shop/cart: held at 40%' },
};
