/** Work for one thread, one piece after the other. */
export interface ThreadLine {
  /**
   * The result of `work`, or what it throws. What is urgent goes before all else. Other work that is under way is broken off for it by its
   * signal, and begun anew later.
   */
  run<Result>(isUrgent: boolean, work: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
}

export interface LineTimes {
  /** How long what is urgent waits for work that is under way. */
  readonly patienceMs: number;
  /** Other work is begun when nothing urgent has been done for so long: a revert asks several times. */
  readonly quietMs: number;
}

const usualTimes: LineTimes = { patienceMs: 1_000, quietMs: 1_000 };
/** Work that was broken off so often is done to its end: a stream of urgent work must not keep it waiting for ever. */
const mostBreaks = 3;

interface Piece {
  readonly isUrgent: boolean;
  begin(signal: AbortSignal): Promise<void>;
  breaks: number;
}

export function createThreadLine({ patienceMs, quietMs }: LineTimes = usualTimes): ThreadLine {
  const urgent: Piece[] = [];
  const others: Piece[] = [];
  let running: { readonly piece: Piece; readonly broken: AbortController } | undefined;
  let quietAtMs = 0;
  let waking: NodeJS.Timeout | undefined;

  const next = (): void => {
    if (running) return;
    clearTimeout(waking);
    const waitMs = quietAtMs - performance.now();
    if (urgent.length === 0 && others.length > 0 && waitMs > 0) {
      waking = setTimeout(next, waitMs);
      return;
    }
    const piece = urgent.shift() ?? others.shift();
    if (!piece) return;
    const broken = new AbortController();
    running = { piece, broken };
    void piece.begin(broken.signal).then(() => {
      running = undefined;
      if (piece.isUrgent) quietAtMs = performance.now() + quietMs;
      next();
    });
  };
  const breakOff = (): void => {
    const under = running;
    if (!under || under.piece.isUrgent || under.piece.breaks >= mostBreaks) return;
    const timer = setTimeout(() => {
      if (running === under && urgent.length > 0) under.broken.abort();
    }, patienceMs);
    timer.unref();
  };

  return {
    run: (isUrgent, work) =>
      new Promise((resolve, reject) => {
        const piece: Piece = {
          isUrgent,
          breaks: 0,
          begin: (signal) =>
            work(signal).then(resolve, (error: unknown) => {
              if (!signal.aborted) return reject(error as Error);
              piece.breaks += 1;
              others.unshift(piece);
            }),
        };
        (isUrgent ? urgent : others).push(piece);
        if (isUrgent) breakOff();
        next();
      }),
  };
}
