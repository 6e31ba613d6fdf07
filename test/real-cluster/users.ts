import { expect } from 'vitest';
import { until } from './command.ts';
import { burst, type Answer, shareOf } from './load.ts';
import { phase, podAddresses, pushVersion, status } from './look.ts';
import { type AppOptions, requestMetrics } from './podinfo-app.ts';
import type { Stage } from './stage.ts';
import { expectNothingLost, expectPromoted, open, patienceMs, routed, stepGate } from './story.ts';

/** Users without a cookie are split by the weight, and whoever was with one version stays there; afterwards the cookie is taken back. */
export async function tellAffinity(stage: Stage, plain: AppOptions): Promise<void> {
  const affinity = `    sessionAffinity:\n      cookieName: version\n      primaryCookieName: home\n`;
  const gate = stepGate(stage, plain, 'confirm-traffic-increase');
  const app = {
    ...plain,
    analysis: `    threshold: 5\n    stepWeights: [30, 70]\n${affinity}${requestMetrics}${gate}`,
  };
  const { door, load } = await open(stage, app);
  try {
    const pushed = await pushVersion(stage, app, '3.1.0', '3.1.1');
    const met: Answer[] = [];
    let carried = '';
    for (const weight of [30, 70]) {
      stage.hooks.allow(app.namespace, 1);
      const isThere = ({ canaryWeight }: { canaryWeight?: number }): boolean => canaryWeight === weight;
      await status(stage, app, `${weight}% are on the canary`, patienceMs, isThere);
      await routed(door, (seen) => Math.abs(shareOf(seen, '3.1.1') - weight) <= 12);
      const strangers = await burst(door, 4_000);
      expect(Math.abs(shareOf(strangers, '3.1.1') - weight), `share at ${weight}%`).toBeLessThanOrEqual(3);
      const [canaryCookie = '', ...otherCanaryCookies] = cookiesOf(strangers, '3.1.1');
      const [primaryCookie = '', ...otherPrimaryCookies] = cookiesOf(strangers, '3.1.0');
      expect(canaryCookie).toMatch(/^version=\w+$/);
      expect(primaryCookie).toMatch(/^home=\w+$/);
      expect([otherCanaryCookies, otherPrimaryCookies]).toEqual([[], []]);
      // Those of the first step meet the canary at the second one, too.
      carried ||= canaryCookie;
      const stayed = await burst(door, 500, { cookie: `theme=dark; ${carried}` });
      expect(shareOf(stayed, '3.1.1'), 'of those with the cookie of the canary').toBe(100);
      const atHome = await burst(door, 500, { cookie: primaryCookie });
      expect(shareOf(atHome, '3.1.0'), 'of those with the cookie of the primary').toBe(100);
      met.push(...strangers, ...stayed, ...atHome);
    }
    stage.hooks.allow(app.namespace, 1_000);
    await expectPromoted(stage, app, '3.1.1', pushed);
    const after = await until('the cookie is taken back', 30_000, async () => {
      const answers = await burst(door, 64, { cookie: carried });
      return answers.every(({ cookies = [] }) => cookies.some((text) => text.startsWith(`${carried};`))) && answers;
    });
    expect(after.flatMap(({ cookies = [] }) => cookies).every((text) => /Max-Age=-1/.test(text))).toBe(true);
    await expectNothingLost(stage, app, [...load.answers, ...met, ...after]);
  } finally {
    await load.stop();
  }
}

/** `name=value` of each cookie that this version has given, once. */
function cookiesOf(answers: readonly Answer[], wanted: string): readonly string[] {
  const given = answers.flatMap(({ version, cookies = [] }) => (version === wanted ? cookies : []));
  return [...new Set(given.map((text) => text.split(';', 1).join('')))];
}

/** Each request is answered by the primary, and the canary gets a copy of it. */
export async function tellMirror(stage: Stage, plain: AppOptions): Promise<void> {
  const gate = stepGate(stage, plain, 'confirm-promotion');
  const app = { ...plain, analysis: `    threshold: 5\n    iterations: 3\n    mirror: true\n${requestMetrics}${gate}` };
  const { door, load } = await open(stage, app);
  try {
    const pushed = await pushVersion(stage, app, '3.1.0', '3.1.1');
    await phase(stage, app, 'WaitingPromotion', patienceMs);
    const before = await servedBy(stage, app);
    const met = await burst(door, 2_000);
    expect(shareOf(met, '3.1.0'), 'answers of the primary').toBe(100);
    // The load goes on meanwhile, so both counts are taken of the same time, and nearly at once.
    const after = await servedBy(stage, app);
    const [asked, copied] = [after.primary - before.primary, after.canary - before.canary];
    expect(asked).toBeGreaterThanOrEqual(2_000);
    expect(Math.abs(copied / asked - 1), `${copied} copies of ${asked}`).toBeLessThanOrEqual(0.02);
    expect(new Set(load.answers.map(({ version }) => version))).toEqual(new Set(['3.1.0']));
    stage.hooks.allow(app.namespace, 1_000);
    await expectPromoted(stage, app, '3.1.1', pushed);
    await expectNothingLost(stage, app, [...load.answers, ...met]);
  } finally {
    await load.stop();
  }
}

/** Requests that the pods of each side have answered so far. */
async function servedBy(stage: Stage, app: AppOptions): Promise<{ primary: number; canary: number }> {
  const count = async (label: string): Promise<number> => {
    const pods = await podAddresses(stage, app.namespace, label);
    const texts = await Promise.all(pods.map(async (ip) => (await fetch(`http://${ip}:9898/metrics`)).text()));
    const lines = texts.flatMap((text) => text.split('\n')).filter((line) => line.startsWith('http_requests_total'));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  };
  const [primary, canary] = await Promise.all([count('podinfo-primary'), count('podinfo')]);
  return { primary, canary };
}
