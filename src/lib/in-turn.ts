/** Runs works of one name one after the other, in the order in which they come; works of different names run side by side. */
export type InTurn = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

export function createInTurn(): InTurn {
  const turns = new Map<string, Promise<void>>();
  return (name, work) => {
    const turn = (turns.get(name) ?? Promise.resolve()).then(work);
    // What failed is told to its own caller; the next one is not held up by it.
    const settled = turn
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => turns.get(name) === settled && turns.delete(name));
    turns.set(name, settled);
    return turn;
  };
}
