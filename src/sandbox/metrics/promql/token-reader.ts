import { readTokens, type Token } from './lexer.ts';
import { ParseError } from './syntax.ts';

/** Steps through the tokens of a query; every failure names its place. */
export class TokenReader {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = readTokens(text);
  }

  peek(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '', position: this.#text.length };
  }

  peekSecond(): Token {
    return this.#tokens[this.#at + 1] ?? { kind: 'end', text: '', position: this.#text.length };
  }

  take(): Token {
    const token = this.peek();
    this.#at += 1;
    return token;
  }

  isSymbol(symbol: string): boolean {
    return this.peek().kind === 'symbol' && this.peek().text === symbol;
  }

  isWord(...words: string[]): boolean {
    return this.peek().kind === 'word' && words.includes(this.peek().text.toLowerCase());
  }

  accept(symbol: string): boolean {
    if (!this.isSymbol(symbol)) return false;
    this.#at += 1;
    return true;
  }

  acceptWord(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.#at += 1;
    return true;
  }

  expect(symbol: string, where: string): void {
    if (!this.accept(symbol)) throw this.unexpected(where, `"${symbol}"`);
  }

  /** `(a, b)`, a trailing comma allowed. */
  list<T>(open: string, close: string, where: string, item: () => T): T[] {
    this.expect(open, where);
    const items: T[] = [];
    while (!this.accept(close)) {
      items.push(item());
      if (this.accept(',')) continue;
      this.expect(close, where);
      break;
    }
    return items;
  }

  unexpected(where: string, expected?: string): ParseError {
    const { kind, text, position } = this.peek();
    const what = kind === 'end' ? 'end of input' : kind === 'symbol' ? `"${text}"` : `${kind} "${text}"`;
    return this.failure(`unexpected ${what} in ${where}${expected ? `, expected ${expected}` : ''}`, position);
  }

  failure(message: string, position = this.peek().position): ParseError {
    return new ParseError(this.#text, position, message);
  }
}
