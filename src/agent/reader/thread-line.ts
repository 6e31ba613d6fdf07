import type { Haste } from '../../manifest/load.ts';

/** Work for one thread, one piece after the other. */
export interface ThreadLine {
  /**
   * The result of `work`, or what it throws. What is in more haste goes first. Work in less haste that is under way is broken off for it by its
   * signal, and begun anew later.
   */
  run<Result>(haste: Haste, work: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
}

export interface LineTimes {
  /** How long what is in more haste waits for work that is under way. */
  readonly patienceMs: number;
  /** Other work is begun when nothing was done `now` for so long: a revert asks several times. */
  readonly quietMs: number;
}

const usualTimes: LineTimes = { patienceMs: 1_000, quietMs: 1_000 };
/** Work that was broken off so often for the same haste is done to its end: a stream of it must not keep it waiting for ever. */
const mostBreaks = 3;
const hastes: readonly Haste[] = ['now', 'soon', 'later'];
const rankOf = (haste: Haste): number => hastes.indexOf(haste);

interface Piece {
  readonly haste: Haste;
  begin(signal: AbortSignal): Promise<void>;
  /** How often it was broken off, by what for. */
  readonly breaks: Map<Haste, number>;
}

export function createThreadLine({ patienceMs, quietMs }: LineTimes = usualTimes): ThreadLine {
  const waiting: Readonly<Record<Haste, Piece[]>> = { now: [], soon: [], later: [] };
  let running: { readonly piece: Piece; readonly broken: AbortController } | undefined;
  let quietAtMs = 0;
  let waking: NodeJS.Timeout | undefined;

  const next = (): void => {
    if (running) return;
    clearTimeout(waking);
    const waitMs = quietAtMs - performance.now();
    if (waiting.now.length === 0 && waiting.soon.length + waiting.later.length > 0 && waitMs > 0) {
      waking = setTimeout(next, waitMs);
      return;
    }
    const piece = waiting.now.shift() ?? waiting.soon.shift() ?? waiting.later.shift();
    if (!piece) return;
    const broken = new AbortController();
    running = { piece, broken };
    void piece.begin(broken.signal).then(() => {
      running = undefined;
      if (piece.haste === 'now') quietAtMs = performance.now() + quietMs;
      next();
    });
  };
  const breakOff = (haste: Haste): void => {
    const under = running;
    const breaks = under?.piece.breaks.get(haste) ?? 0;
    if (!under || rankOf(under.piece.haste) <= rankOf(haste) || breaks >= mostBreaks) return;
    const timer = setTimeout(() => {
      if (running !== under || waiting[haste].length === 0) return;
      under.piece.breaks.set(haste, breaks + 1);
      under.broken.abort();
    }, patienceMs);
    timer.unref();
  };

  return {
    run: (haste, work) =>
      new Promise((resolve, reject) => {
        const piece: Piece = {
          haste,
          breaks: new Map(),
          begin: (signal) =>
            work(signal).then(resolve, (error: unknown) => {
              if (!signal.aborted) return reject(error as Error);
              waiting[haste].unshift(piece);
            }),
        };
        waiting[haste].push(piece);
        breakOff(haste);
        next();
      }),
  };
}
