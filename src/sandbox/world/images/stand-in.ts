import { crash, type DemoImage, type Program, type Surroundings } from './image.ts';

/** The end of a tag that orders a fault. */
const ordered = /(?:^|[-.])(fail|slow|unready|crash|missing)\d*$/;
const slowMs = 800;

/**
 * Stands in for an image that only its owners have: answers 200 to everything on all ports, or does what the end of its tag orders. In a pod
 * that runs to its end it ends well at once.
 */
export const standIn: DemoImage = {
  has: (tag) => orderOf(tag) !== 'missing',
  start: startStandIn,
};

const orderOf = (tag: string): string | undefined => ordered.exec(tag)?.[1];

function startStandIn(surroundings: Surroundings): Program {
  const { tag, log, pod, runsToEnd } = surroundings;
  const order = orderOf(tag);
  if (order === 'crash') return crash(surroundings, `the stand-in ${tag} crashes, as its tag orders`);
  log(`a stand-in for the image runs, tag ${tag}${order === undefined ? '' : `, which orders: ${order}`}`);
  if (runsToEnd) return { kind: 'exit', code: order === 'fail' ? 1 : 0, afterMs: 0 };
  return {
    kind: 'serve',
    ports: 'all',
    handle({ headers }) {
      const isProbe = String(headers['user-agent'] ?? '').startsWith('kube-probe');
      if (isProbe) return { status: order === 'unready' ? 503 : 200, body: { tag }, quiet: true };
      return {
        status: order === 'fail' ? 500 : 200,
        body: { tag, pod: pod.name },
        headers: { 'x-version': tag },
        ...(order === 'slow' ? { delayMs: slowMs } : {}),
      };
    },
  };
}
