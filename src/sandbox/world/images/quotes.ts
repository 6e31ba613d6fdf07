import { parseGoDuration } from '../../../lib/duration.ts';
import { type AppReply, type DemoImage, flag, type Program, type Surroundings } from './image.ts';

/** The backend of the quotes app: one quote for each request. */
export const quotes: DemoImage = {
  has: (tag) => /^[123](\.|$)/.test(tag),
  start: startQuotes,
};

interface Quote {
  readonly quote: string;
  readonly source: string;
}

const starWars: readonly Quote[] = [
  'May the Force be with you.',
  'Do. Or do not. There is no try.',
  'I have a bad feeling about this.',
  'Never tell me the odds!',
  'It’s a trap!',
  'The Force will be with you. Always.',
].map((quote) => ({ quote, source: 'Star Wars' }));

const starTrek: readonly Quote[] = [
  'Live long and prosper.',
  'Make it so.',
  'Resistance is futile.',
  'To boldly go where no one has gone before.',
  'I’m a doctor, not a bricklayer!',
  'Tea, Earl Grey, hot.',
].map((quote) => ({ quote, source: 'Star Trek' }));

const defaultFailAfter = '3s';

function startQuotes({ tag, args, env, clock, log }: Surroundings): Program {
  const port = Number(flag(args, 'port') ?? env['PORT'] ?? '3000');
  const shown = tag.startsWith('1') ? starWars : starTrek;
  const broken = env['FAIL_ENABLED'] === undefined ? tag.startsWith('3') : /^(1|true)$/.test(env['FAIL_ENABLED']);
  const failAfterMs = parseGoDuration(env['FAIL_AFTER'] ?? defaultFailAfter) ?? 0;
  let served = 0;
  let firstMs: number | undefined;

  const quote = (): AppReply => {
    firstMs ??= clock.now();
    const headers = { 'x-version': tag };
    if (broken && clock.now() - firstMs >= failAfterMs) {
      return { status: 500, body: { error: 'no quotes left' }, headers };
    }
    served += 1;
    return { status: 200, body: shown[served % shown.length], headers };
  };

  log(`quotes ${tag} on :${port}`);
  return {
    kind: 'serve',
    ports: [port],
    handle({ path }) {
      if (/^\/(healthz|readyz|health|ready)$/.test(path)) return { status: 200, body: { status: 'OK' }, quiet: true };
      if (path === '/version') return { status: 200, body: { version: tag } };
      if (path === '/' || path === '/quotes') return quote();
      return { status: 404, body: { error: 'not found' }, headers: { 'x-version': tag } };
    },
  };
}
