import { BadRegex, type Node, type Place } from './syntax.ts';

/** A step of a compiled expression; `to` (tried first) and `other` are places in the program. */
export type Step =
  | { readonly op: 'set'; readonly set: Uint8Array }
  | { readonly op: 'split'; to: number; other: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'save'; readonly slot: number }
  | { readonly op: 'place'; readonly place: Place }
  | { readonly op: 'match' };

/** A pattern that people write has tens. */
const maxSteps = 1_000;
/** Repetitions of nothing make no steps. */
const maxVisits = 10 * maxSteps;

/** Throws BadRegex where the expression, with its repetitions written out, is too large. */
export function compile(root: Node): readonly Step[] {
  const program = new Program();
  program.emit(root);
  program.add({ op: 'match' });
  return program.steps;
}

/** A choice whose ways are set when it is known where they lead. */
interface Choice {
  inTo(at: number): void;
  outTo(at: number): void;
}

class Program {
  readonly steps: Step[] = [];
  private visits = 0;

  add<S extends Step>(step: S): S {
    if (this.steps.length >= maxSteps) throw tooLarge();
    this.steps.push(step);
    return step;
  }

  emit(node: Node): void {
    if (++this.visits > maxVisits) throw tooLarge();
    switch (node.kind) {
      case 'set':
        this.add({ op: 'set', set: node.set });
        return;
      case 'place':
        this.add({ op: 'place', place: node.place });
        return;
      case 'sequence':
        for (const part of node.of) this.emit(part);
        return;
      case 'group':
        this.add({ op: 'save', slot: 2 * node.index });
        this.emit(node.of);
        this.add({ op: 'save', slot: 2 * node.index + 1 });
        return;
      case 'either':
        this.either(node.of);
        return;
      case 'repeat':
        if (node.max === Number.POSITIVE_INFINITY) this.endless(node.of, node.min, node.isLazy);
        else this.counted(node.of, node.min, node.max, node.isLazy);
        return;
    }
  }

  private get here(): number {
    return this.steps.length;
  }

  private choice(isLazy: boolean): Choice {
    const step = this.add({ op: 'split', to: 0, other: 0 });
    const first = (at: number): void => void (step.to = at);
    const second = (at: number): void => void (step.other = at);
    return isLazy ? { inTo: second, outTo: first } : { inTo: first, outTo: second };
  }

  private either(parts: readonly Node[]): void {
    const jumps: { to: number }[] = [];
    for (const [index, part] of parts.entries()) {
      if (index === parts.length - 1) {
        this.emit(part);
        break;
      }
      const choice = this.choice(false);
      choice.inTo(this.here);
      this.emit(part);
      jumps.push(this.add({ op: 'jump', to: 0 }));
      choice.outTo(this.here);
    }
    for (const jump of jumps) jump.to = this.here;
  }

  private endless(of: Node, min: number, isLazy: boolean): void {
    for (let times = 1; times < min; times += 1) this.emit(of);
    if (min > 0) return this.onceOrMore(of, isLazy);
    const choice = this.choice(isLazy);
    const from = this.here - 1;
    choice.inTo(this.here);
    // As Go: what can match nothing is tried once, so that its groups are where they would be.
    if (canBeEmpty(of)) this.onceOrMore(of, isLazy);
    else {
      this.emit(of);
      this.add({ op: 'jump', to: from });
    }
    choice.outTo(this.here);
  }

  private onceOrMore(of: Node, isLazy: boolean): void {
    const from = this.here;
    this.emit(of);
    const choice = this.choice(isLazy);
    choice.inTo(from);
    choice.outTo(this.here);
  }

  private counted(of: Node, min: number, max: number, isLazy: boolean): void {
    for (let times = 0; times < min; times += 1) this.emit(of);
    const choices: Choice[] = [];
    for (let times = min; times < max; times += 1) {
      const choice = this.choice(isLazy);
      choice.inTo(this.here);
      choices.push(choice);
      this.emit(of);
    }
    for (const choice of choices) choice.outTo(this.here);
  }
}

const tooLarge = (): BadRegex => new BadRegex('it is too large with its repetitions written out');

function canBeEmpty(node: Node): boolean {
  switch (node.kind) {
    case 'set':
      return false;
    case 'place':
      return true;
    case 'sequence':
      return node.of.every(canBeEmpty);
    case 'either':
      return node.of.some(canBeEmpty);
    case 'group':
      return canBeEmpty(node.of);
    case 'repeat':
      return node.min === 0 || canBeEmpty(node.of);
  }
}
