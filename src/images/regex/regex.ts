import { parseRegex } from './parse.ts';
import { compile, type Step } from './program.ts';
import { asciiSize, BadRegex, type Place, word } from './syntax.ts';

/** How much work is left, in steps. Where it falls below zero, what was said of a text means nothing. */
export interface Budget {
  left: number;
}

/** An expression as Go reads it, matched in time that grows with its size times the text's, whatever both are. */
export interface Regex {
  readonly names: ReadonlyMap<string, readonly number[]>;
  readonly groups: number;
  /** Whether it matches anywhere in the text, which has only signs of ASCII. */
  matches(text: string, budget: Budget): boolean;
  /** Begin and end of the first match and of its groups, by twos, -1 where a group has no part in it; undefined: no match. */
  find(text: string, budget: Budget): readonly number[] | undefined;
}

/** What is wrong with the expression, or the expression. */
export function readRegex(text: string): Regex | { readonly problem: string } {
  try {
    const { root, groups, names } = parseRegex(text);
    const steps = compile(root);
    const run = createRun(steps);
    return {
      names,
      groups,
      matches: (input, budget) => run(input, budget, 0) !== undefined,
      find: (input, budget) => run(input, budget, 2 * (groups + 1)),
    };
  } catch (error) {
    if (error instanceof BadRegex) return { problem: error.message };
    throw error;
  }
}

/** Ways to match that are followed side by side, best first: where each stands, and where its groups begin and end. */
interface Threads {
  readonly at: number[];
  readonly slots: (readonly number[])[];
}

type Run = (text: string, budget: Budget, slotCount: number) => readonly number[] | undefined;

function createRun(steps: readonly Step[]): Run {
  const [first] = steps;
  const isAnchored = first?.op === 'place' && first.place === 'start';
  /** At which round a step was last reached; one way to each is enough, because the first is the best. */
  const reached = new Float64Array(steps.length);
  let round = 0;
  return (text, budget, slotCount) => {
    const stackAt: number[] = [];
    const stackSlots: (readonly number[])[] = [];
    const follow = (threads: Threads, from: number, slots: readonly number[], place: number): void => {
      stackAt.push(from);
      stackSlots.push(slots);
      for (let at = stackAt.pop(); at !== undefined; at = stackAt.pop()) {
        const held = stackSlots.pop() ?? [];
        if (reached[at] === round) continue;
        reached[at] = round;
        budget.left -= 1;
        const step = steps[at] as Step;
        switch (step.op) {
          case 'jump':
            stackAt.push(step.to);
            stackSlots.push(held);
            break;
          case 'split':
            stackAt.push(step.other, step.to);
            stackSlots.push(held, held);
            break;
          case 'save':
            stackAt.push(at + 1);
            stackSlots.push(slotCount === 0 ? held : held.with(step.slot, place));
            break;
          case 'place':
            if (!isAt(step.place, text, place)) break;
            stackAt.push(at + 1);
            stackSlots.push(held);
            break;
          case 'set':
          case 'match':
            threads.at.push(at);
            threads.slots.push(held);
            break;
        }
      }
    };
    const none: readonly number[] = Array.from({ length: slotCount }, () => -1);
    let open: Threads = { at: [], slots: [] };
    let found: readonly number[] | undefined;
    for (let place = 0; place <= text.length && budget.left >= 0; place += 1) {
      if (!found) {
        // What began earlier goes first; where nothing is open, a new round.
        if (open.at.length === 0) round += 1;
        follow(open, 0, slotCount === 0 ? none : none.with(0, place), place);
      }
      if (open.at.length === 0) {
        if (found || isAnchored) break;
        continue;
      }
      const code = place < text.length ? text.charCodeAt(place) : asciiSize;
      const next: Threads = { at: [], slots: [] };
      round += 1;
      for (const [index, at] of open.at.entries()) {
        const step = steps[at] as Step;
        const slots = open.slots[index] ?? none;
        if (step.op === 'match') {
          found = slotCount === 0 ? none : slots.with(1, place);
          break;
        }
        if (step.op === 'set' && code < asciiSize && step.set[code] === 1) follow(next, at + 1, slots, place + 1);
      }
      if (found && slotCount === 0) return found;
      open = next;
    }
    return found;
  };
}

function isAt(place: Place, text: string, at: number): boolean {
  switch (place) {
    case 'start':
      return at === 0;
    case 'end':
      return at === text.length;
    case 'line-start':
      return at === 0 || text[at - 1] === '\n';
    case 'line-end':
      return at === text.length || text[at] === '\n';
    case 'word-edge':
      return isWord(text, at - 1) !== isWord(text, at);
    case 'no-word-edge':
      return isWord(text, at - 1) === isWord(text, at);
  }
}

const isWord = (text: string, at: number): boolean => word[text.charCodeAt(at)] === 1;

/**
 * A text in which `$name`, `${name}` and `$1` stand for groups, as Go's Expand reads it; what no group is called is empty, `$$` is a dollar.
 */
export function expand(template: string, { names }: Regex, text: string, found: readonly number[]): string {
  return template.replaceAll(
    /\$(?:(\$)|(\w+)|\{(\w+)\})/g,
    (_whole, dollar?: string, plain?: string, braced?: string) => {
      if (dollar !== undefined) return '$';
      const name = plain ?? braced ?? '';
      const groups = /^\d{1,9}$/.test(name) ? [Number(name)] : (names.get(name) ?? []);
      const index = groups.find((group) => (found[2 * group] ?? -1) >= 0);
      return index === undefined ? '' : text.slice(found[2 * index], found[2 * index + 1]);
    },
  );
}
