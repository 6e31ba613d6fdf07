/** The life of an agent that dies after so many writes. */
export interface Life {
  readonly isOver: boolean;
  /** One write more has been done. */
  spend(): void;
}

export function lifeOf(writes: number): Life {
  let left = writes;
  return {
    get isOver() {
      return left <= 0;
    },
    spend() {
      left -= 1;
    },
  };
}

type Method = (...args: unknown[]) => unknown;

/**
 * The same part of the world until life is over: the last write is done and never answered, and nothing is answered from then on. To
 * the world the agent is dead; inside it waits until it is stopped.
 */
export function mortal<T extends object>(
  part: T,
  life: Life,
  isWrite: (method: string, args: readonly unknown[]) => boolean,
): T {
  return new Proxy(part, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      // A view is no question: it only stops to see anything.
      if (typeof value !== 'function' || typeof name !== 'string' || name === 'reflect') return value;
      const method = value as Method;
      return (...args: unknown[]): unknown => {
        const signal = args.at(-1);
        if (!(signal instanceof AbortSignal)) return method.apply(target, args);
        if (life.isOver) return silence(signal);
        const answer = method.apply(target, args);
        if (!isWrite(name, args)) return answer;
        return Promise.resolve(answer).then((result) => {
          life.spend();
          return life.isOver ? silence(signal) : result;
        });
      };
    },
  });
}

function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
