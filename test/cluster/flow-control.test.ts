import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createFlowControl, type FlowControl, type Verdict } from '../../src/cluster/flow-control.ts';
import type { Priority } from '../../src/cluster/priority.ts';
import { type ManualClock, manualClock } from '../helpers/manual-clock.ts';

/** An API server with so many cores, in which requests wait for each other. */
interface Server {
  readonly cores: number;
  readonly workMs: Readonly<Record<Priority, number>>;
  /** On the way there and back, together. */
  readonly wayMs?: number;
  /** With more than these inside, it refuses. */
  readonly room?: number;
  readonly retryAfterMs?: number;
}

interface Serving {
  handle(priority: Priority): Promise<Verdict>;
  /** Milliseconds in which a core did something. */
  readonly workedMs: number;
  readonly refused: number;
  readonly most: number;
}

function serve(server: Server, clock: ManualClock): Serving {
  const { cores, workMs, wayMs = 0, room = Number.POSITIVE_INFINITY, retryAfterMs } = server;
  const queue: { readonly ms: number; readonly done: () => void }[] = [];
  let busy = 0;
  let workedMs = 0;
  let refused = 0;
  let most = 0;
  const next = (): void => {
    const job = busy < cores ? queue.shift() : undefined;
    if (!job) return;
    busy += 1;
    clock.after(job.ms, () => {
      busy -= 1;
      workedMs += job.ms;
      job.done();
      next();
    });
  };
  return {
    async handle(priority) {
      if (wayMs > 0) await sleep(clock, wayMs / 2);
      most = Math.max(most, busy + queue.length + 1);
      if (busy + queue.length >= room) {
        refused += 1;
        if (wayMs > 0) await sleep(clock, wayMs / 2);
        return { result: 'refused', retryAfterMs };
      }
      await new Promise<void>((done) => {
        queue.push({ ms: workMs[priority], done });
        next();
      });
      if (wayMs > 0) await sleep(clock, wayMs / 2);
      return { result: 'good' };
    },
    get workedMs() {
      return workedMs;
    },
    get refused() {
      return refused;
    },
    get most() {
      return most;
    },
  };
}

const alike = { traffic: 10, status: 10, workload: 10, event: 10 };
const signal = new AbortController().signal;
setMaxListeners(0, signal);
/** Sleeps of a manual clock leave their listeners behind. */
const sleep = (clock: ManualClock, ms: number): Promise<void> => clock.sleep(ms, new AbortController().signal);

interface World {
  readonly clock: ManualClock;
  readonly flow: FlowControl;
  readonly serving: Serving;
  readonly begun: Priority[];
  /** As the client sends it: again when it is refused, later. */
  readonly send: (name: string, priority: Priority) => Promise<void>;
  /** Lets time pass in small steps, so that promises get their turns. */
  readonly pass: (ms: number) => Promise<void>;
}

function worldOf(server: Server): World {
  const clock = manualClock();
  const flow = createFlowControl(clock);
  const serving = serve(server, clock);
  const begun: Priority[] = [];
  return {
    clock,
    flow,
    serving,
    begun,
    async send(name, priority) {
      for (let attempt = 0; ; attempt += 1) {
        const admission = { priority, namespace: 'test', flow: name, kind: priority, isRepeat: attempt > 0 };
        const handle = (): Promise<Verdict> => {
          begun.push(priority);
          return serving.handle(priority);
        };
        const { result, retryAfterMs = 100 } = await flow.admit(admission, handle, (verdict) => verdict, signal);
        if (result === 'good') return;
        await sleep(clock, retryAfterMs * (1 + attempt / 2));
      }
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 10) {
        clock.advance(10);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

const intervalMs = 10_000;

/** Canaries that each lead users a step on, write their status and tell of it in every interval; gives how late each look was. */
async function looks(world: World, canaries: number, ms: number): Promise<{ lateMs: number[][]; told: number }> {
  const lateMs: number[][] = [];
  let told = 0;
  const { clock } = world;
  const untilMs = clock.now() + ms;
  const live = async (index: number): Promise<void> => {
    const own: number[] = [];
    lateMs[index] = own;
    let dueMs = clock.now() + ((index * 37) % intervalMs);
    const events: Promise<void>[] = [];
    while (dueMs < untilMs) {
      await sleep(clock, Math.max(0, dueMs - clock.now()));
      const end = world.flow.late([`test/app-${index}`], clock.now() - dueMs);
      await world.send(`test/app-${index}`, 'traffic');
      await world.send(`test/app-${index}`, 'status');
      end();
      own.push(Math.max(0, clock.now() - dueMs));
      events.push(world.send(`event test/app-${index}`, 'event').then(() => void (told += 1)));
      dueMs = Math.max(dueMs + intervalMs, clock.now());
    }
  };
  for (let index = 0; index < canaries; index += 1) void live(index);
  await world.pass(ms + intervalMs);
  return { lateMs, told };
}

/** So many apps, each with a next request as soon as the last one is answered. Gives how many were answered. */
function askAlways(world: World, apps: number): () => number {
  let done = 0;
  const ask = (name: string): void => {
    void world.send(name, 'status').then(() => {
      done += 1;
      ask(name);
    });
  };
  for (let index = 0; index < apps; index += 1) ask(`app-${index}`);
  return () => done;
}

describe('flow control', () => {
  it('spreads lateness over all canaries of a server that has too much to do, and keeps it busy', async () => {
    // Two writes of 60 ms a look on one core: 100 canaries take 12 s where their interval is 10 s. Events would be another 6 s.
    const world = worldOf({ cores: 1, workMs: { traffic: 60, status: 60, workload: 60, event: 60 } });
    const { lateMs, told } = await looks(world, 100, 120_000);
    const counts = lateMs.map(({ length }) => length);
    const all = lateMs.flat();
    const meanMs = all.reduce((sum, ms) => sum + ms, 0) / all.length;
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(Math.max(...counts) - 1);
    expect(Math.max(...all)).toBeLessThan(Math.min(1.5 * meanMs, 2 * intervalMs));
    expect(world.serving.workedMs).toBeGreaterThan(0.97 * 130_000 - intervalMs);
    expect(world.serving.most).toBeLessThanOrEqual(20);
    // They get what is theirs even so.
    expect(told).toBeGreaterThan(50);
  });

  it('lets what moves users go first, and events last', async () => {
    const { send, begun, pass } = worldOf({ cores: 1, workMs: alike });
    for (let index = 0; index < 60; index += 1) void send(`event ${index}`, 'event');
    for (let index = 0; index < 60; index += 1) void send(`w ${index}`, 'workload');
    for (let index = 0; index < 20; index += 1) void send(`s ${index}`, 'status');
    for (let index = 0; index < 20; index += 1) void send(`t ${index}`, 'traffic');
    await pass(3_000);
    const middle = (priority: Priority): number => {
      const places = begun.flatMap((one, place) => (one === priority ? [place] : []));
      return places[Math.floor(places.length / 2)] ?? -1;
    };
    expect(begun).toHaveLength(160);
    expect(middle('traffic')).toBeLessThan(middle('status'));
    expect(middle('status')).toBeLessThan(middle('workload'));
    expect(middle('workload')).toBeLessThan(middle('event'));
  });

  it('uses all of a server that is far away', async () => {
    const world = worldOf({ cores: 2, workMs: alike, wayMs: 50 });
    const done = askAlways(world, 200);
    await world.pass(4_000);
    // Two hundred a second; the limit has to rise first.
    expect(done()).toBeGreaterThan(650);
    expect(world.flow.load.limit).toBeLessThan(50);
  });

  it('begins few requests on a server that refuses, and leaves none behind', async () => {
    const world = worldOf({ cores: 1, workMs: alike, room: 3, retryAfterMs: 1_000 });
    let done = 0;
    for (let index = 0; index < 1_000; index += 1)
      void world.send(`app-${index}`, 'status').then(() => void (done += 1));
    await world.pass(60_000);
    expect(done).toBe(1_000);
    expect(world.serving.refused).toBeLessThan(250);
  });

  it('takes what is refused of one object again and again for that object’s matter', async () => {
    const world = worldOf({ cores: 2, workMs: alike, wayMs: 20 });
    const { flow, clock } = world;
    const refused = async (index: number): Promise<void> => {
      for (let attempt = 0; ; attempt += 1) {
        const admission = {
          priority: 'workload',
          namespace: 'bad',
          flow: `bad/${index}`,
          kind: 'x',
          isRepeat: attempt > 0,
        } as const;
        await flow.admit(
          admission,
          () => sleep(clock, 10),
          () => ({ result: 'refused', retryAfterMs: 30_000 }),
          signal,
        );
        await sleep(clock, 500);
      }
    };
    for (let index = 0; index < 5; index += 1) void refused(index);
    const done = askAlways(world, 200);
    await world.pass(5_000);
    expect(done()).toBeGreaterThan(700);
  });

  it('uses a server again that was slow or silent for a while', async () => {
    const clock = manualClock();
    const flow = createFlowControl(clock);
    let tookMs = 10;
    let result: Verdict['result'] = 'good';
    let done = 0;
    const live = async (name: string): Promise<void> => {
      for (;;) {
        const admission = { priority: 'status', namespace: 'test', flow: name, kind: 'x', isRepeat: false } as const;
        const send = async (): Promise<Verdict> => {
          await sleep(clock, tookMs);
          return { result };
        };
        if ((await flow.admit(admission, send, (verdict) => verdict, signal)).result === 'good') done += 1;
        else await sleep(clock, 100);
      }
    };
    for (let index = 0; index < 40; index += 1) void live(`app-${index}`);
    const pass = async (ms: number, stepMs = 10): Promise<number> => {
      const before = done;
      for (let passed = 0; passed < ms; passed += stepMs) {
        clock.advance(stepMs);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return done - before;
    };
    await pass(1_000);
    const usual = await pass(1_000);
    tookMs = 500;
    await pass(20_000, 500);
    [tookMs, result] = [10_000, 'lost'];
    await pass(60_000, 500);
    expect(flow.load.limit, 'silent').toBe(2);
    [tookMs, result] = [10, 'good'];
    await pass(10_000, 500);
    await pass(1_000);
    expect(await pass(1_000), 'as before').toBeGreaterThan(0.8 * usual);
  });

  it('begins more on a server that is slow by others’ doing, and not on one that is slow by its own', async () => {
    /** First it is quick, then each request takes so much longer on its way, or in the server. */
    const run = async (otherMs: number, ownMs: number): Promise<{ limit: number; perSecond: number }> => {
      const world = worldOf({ cores: 1, workMs: { ...alike, status: ownMs } });
      await Promise.all([world.send('first', 'traffic'), world.pass(100)]);
      let done = 0;
      const ask = async (name: string): Promise<void> => {
        for (;;) {
          const admission = {
            priority: 'status',
            namespace: 'test',
            flow: name,
            kind: 'traffic',
            isRepeat: false,
          } as const;
          const send = async (): Promise<Verdict> => {
            if (otherMs > 0) await sleep(world.clock, otherMs);
            return world.serving.handle('status');
          };
          await world.flow.admit(admission, send, (verdict) => verdict, signal);
          done += 1;
        }
      };
      for (let index = 0; index < 100; index += 1) void ask(`app-${index}`);
      await world.pass(40_000);
      const before = done;
      await world.pass(10_000);
      return { limit: world.flow.load.limit, perSecond: (done - before) / 10 };
    };
    // Eight at once would be fifteen a second.
    expect((await run(500, 10)).perSecond).toBeGreaterThan(30);
    const own = await run(0, 100);
    expect(own.limit).toBeLessThanOrEqual(12);
    expect(own.perSecond).toBeGreaterThan(9);
  });

  it('is not stopped by a namespace whose requests are answered never', async () => {
    const world = worldOf({ cores: 2, workMs: alike });
    const stuck = { priority: 'traffic', namespace: 'stuck', kind: 'x', isRepeat: false } as const;
    for (let index = 0; index < 200; index += 1)
      void world.flow.admit(
        { ...stuck, flow: `stuck/${index}` },
        () => new Promise(() => undefined),
        () => undefined,
        signal,
      );
    let done = 0;
    for (let index = 0; index < 100; index += 1) void world.send(`app-${index}`, 'event').then(() => void (done += 1));
    await world.pass(4_000);
    expect(done).toBe(100);
  });

  it('lets go of what is given up while it waits', async () => {
    const { flow, pass } = worldOf({ cores: 1, workMs: alike });
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const admission = { priority: 'status', namespace: '', flow: 'a', kind: 'x', isRepeat: false } as const;
    const ends: (() => void)[] = [];
    const all = Array.from({ length: 40 }, () =>
      flow
        .admit(
          admission,
          () => new Promise<void>((end) => void ends.push(end)),
          () => undefined,
          stop.signal,
        )
        .then(
          () => 'done',
          (error: Error) => error.message,
        ),
    );
    await pass(5);
    expect(flow.load).toMatchObject({ limit: 16, underWay: 16, waiting: { status: 24 } });
    stop.abort(new Error('given up'));
    for (const end of ends) end();
    const said = await Promise.all(all);
    expect(said.filter((one) => one === 'given up')).toHaveLength(24);
    expect(flow.load).toMatchObject({ underWay: 0, waiting: { status: 0 } });
  });
});
