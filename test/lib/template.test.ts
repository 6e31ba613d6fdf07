import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentError } from '../../src/lib/errors.ts';
import { checkTemplate, renderTemplate } from '../../src/lib/template.ts';

const values = {
  name: 'podinfo',
  namespace: 'test',
  target: 'podinfo',
  service: 'podinfo-svc',
  ingress: 'web',
  interval: '1m',
  variables: { direction: 'inbound', codes: '5..', empty: '' },
  list: ['a', 'b', 'c'],
};
const render = (source: string): string => renderTemplate(source, values);

describe('renderTemplate', () => {
  it.each([
    ['{{ name }}.{{ namespace }}', 'podinfo.test'],
    [
      'sum(rate(x{ns="{{ namespace }}",d="{{ variables.direction }}"}[{{interval}}]))',
      'sum(rate(x{ns="test",d="inbound"}[1m]))',
    ],
    ['{{ index variables "codes" }}|{{ index variables "absent" }}', '5..|'],
    ['{{ printf "kube_%s__%s" namespace ingress }}', 'kube_test__web'],
    ['{{- $r := printf "%s-%s" name service -}}\n  route="{{ $r }}"', 'route="podinfo-podinfo-svc"'],
    ['a {{- /* nothing */ -}} b', 'ab'],
    ['a {{/* nothing */}} b', 'a  b'],
    ['{{ if eq namespace "prod" "test" }}yes{{ else }}no{{ end }}', 'yes'],
    ['{{ if ne name "podinfo" }}1{{ else if and name (not variables.empty) }}2{{ else }}3{{ end }}', '2'],
    ['{{ range $i, $e := list }}{{ if $i }},{{ end }}{{ $e }}{{ end }}', 'a,b,c'],
    ['{{ range list }}{{ . }}{{ else }}none{{ end }}', 'abc'],
    ['{{ range list }}{{ if eq . "b" }}{{ break }}{{ end }}{{ . }}{{ end }}', 'a'],
    ['{{ range $k, $v := variables }}{{ $k }}={{ $v }};{{ end }}', 'codes=5..;direction=inbound;empty=;'],
    ['{{ with variables }}{{ .direction }}{{ end }}', 'inbound'],
    ['{{ with variables.empty }}x{{ else }}empty{{ end }}', 'empty'],
    ['{{ $n := 1 }}{{ if true }}{{ $n = 2 }}{{ end }}{{ $n }}', '2'],
    ['{{ name | printf "%q" }} {{ len list }} {{ or variables.empty "x" }}', '"podinfo" 3 x'],
    ['{{ printf "%05.1f %d%% %v %-4s|" 3.14159 7 true "a" }}', '003.1 7% true a   |'],
    ['{{ lt 1 2 }} {{ ge 2 2 }} {{ slice name 0 3 }} {{ `raw "q"` }} {{ "a\\tb" }}', 'true true pod raw "q" a\tb'],
    ['{{ (index list 1) }}{{ range 2 }}{{ . }}{{ end }}', 'b01'],
    ['plain } and { and }} stay', 'plain } and { and }} stay'],
  ])('renders %s', (source, expected) => {
    expect(render(source)).toBe(expected);
  });

  it.each([
    ['{{ variables.nope }}', 'template line 1: map has no entry for key "nope"'],
    ['\n{{ foo }}', 'template line 2: function "foo" not defined'],
    ['{{ name', 'template line 1: unclosed action: "}}" is missing'],
    ['{{ if name }}x', 'template line 1: {{if}} without {{end}}'],
    ['x{{ end }}', 'template line 1: unexpected {{end}}'],
    ['{{ $x }}', 'template line 1: undefined variable "$x"'],
    ['{{ .Name }}', "template line 1: can't evaluate field Name of <no value>"],
    ['{{ name.x }}', "template line 1: can't evaluate field x of podinfo"],
    ['{{ name "x" }}', 'template line 1: wrong number of args for name: want 0 got 1'],
    ['{{ template "x" }}', 'template line 1: {{template}} is not supported'],
    ['{{ printf "%s" }}', 'template line 1: printf: no value for %s in "%s"'],
    ['{{ range name }}{{ end }}', "template line 1: range can't iterate over podinfo"],
    ['{{ break }}', 'template line 1: {{break}} outside {{range}}'],
    ['{{ name | "x" }}', 'template line 1: only a function can stand after "|"'],
    ['{{ ! }}', 'template line 1: unexpected "!" in action'],
    ['{{ /* x }}', 'template line 1: unexpected "/" in action'],
    ['{{ eq 1 "1" }}', 'template line 1: eq: incompatible types for comparison'],
    ['{{ index list 9 }}', 'template line 1: index out of range: 9'],
    ['{{ }}', 'template line 1: missing value'],
    ['{{ range 9000 }}{{ range 9000 }}x{{ end }}{{ end }}', 'template line 1: too many rounds of {{range}}'],
    [`{{ range 900 }}${'x'.repeat(9000)}{{ end }}`, 'the result is too long'],
  ])('refuses %s', (source, message) => {
    expect(() => render(source)).toThrowError(message);
    expect(() => render(source)).toThrowError(AgentError);
  });

  it.each([
    ['a huge width', '{{ $x := printf "%50000000s" "" }}{{ index $x 0 }}', 'printf: a width of more than 10000'],
    ['a huge number', '{{ printf "%999999999d" 1 }}', 'printf: a width of more than 10000'],
    [
      'a width that is no number any more',
      `{{ printf "%${'9'.repeat(400)}d" 1 }}`,
      'printf: a width of more than 10000',
    ],
    ['a huge precision', '{{ printf "%.999f" 1 }}', 'between 0 and 100'],
    ['many wide values', `{{ printf "${'%9999s'.repeat(200)}"${' 1'.repeat(200)} }}`, 'printf: the result is too long'],
    ['a text that is doubled', `{{ $x := "abcdefgh" }}${'{{ $x = printf "%s%s" $x $x }}'.repeat(40)}`, 'too much work'],
    [
      'a text that is quoted again and again',
      `{{ $x := "\\\\" }}${'{{ $x = printf "%q" $x }}'.repeat(60)}`,
      'too much work',
    ],
    ['arguments that are long', `{{ $x := printf "%9999s" "" }}{{ print${' $x'.repeat(5_000)} }}`, 'too much work'],
    [
      'lists that are made and left',
      '{{ range 10000 }}{{ range 10000 }}{{ break }}{{ end }}{{ end }}',
      'too much work',
    ],
    ['bytes of a text', '{{ $x := printf "%9999s" "" }}{{ range 9000 }}{{ index $x . }}{{ end }}', 'too much work'],
    ['many steps', `{{ range 10000 }}${'{{ $x := name }}'.repeat(200)}{{ end }}`, 'too much work'],
    ['parentheses', `{{ ${'('.repeat(20_000)}1${')'.repeat(20_000)} }}`, 'more than 100 blocks and parentheses'],
    ['blocks', `${'{{ if true }}'.repeat(2_000)}${'{{ end }}'.repeat(2_000)}`, 'more than 100 blocks and parentheses'],
    [
      'else after else',
      `{{ if nil }}${'{{ else if nil }}'.repeat(2_000)}{{ end }}`,
      'more than 100 blocks and parentheses',
    ],
    ['a long text', 'x'.repeat(64 * 1024 + 1), 'it is longer than 64 KiB'],
  ])('refuses %s before it costs anything', (_, source, message) => {
    const before = process.memoryUsage().rss;
    expect(() => render(source)).toThrowError(message);
    expect(() => render(source)).toThrowError(AgentError);
    // Without a budget it is gigabytes; the collector of a process that other tests share lets go when it likes.
    expect(process.memoryUsage().rss - before).toBeLessThan(500_000_000);
  });

  it('says briefly what is wrong with a long value', () => {
    const source = '{{ $x := printf "%9999s" "" }}{{ range $x }}{{ end }}';
    expect(() => render(source)).toThrowError(/^.{1,400}$/);
  });

  /** Milliseconds of the quickest of a few runs: what else the machine does counts little. */
  const timeOf = (source: string): number => {
    const times = Array.from({ length: 5 }, () => {
      const startedMs = performance.now();
      try {
        render(source);
      } catch (error) {
        expect(error).toBeInstanceOf(AgentError);
      }
      return performance.now() - startedMs;
    });
    return Math.min(...times);
  };
  it.each([
    ['actions', (size: number) => '{{1}}x\n'.repeat(size / 7)],
    ['spaces before a trim', (size: number) => `${' '.repeat(size)}x{{- 1 }}`],
    ['spaces between trims', (size: number) => '{{ 1 -}}    x    {{- 1 }}'.repeat(size / 24)],
    ['braces', (size: number) => '{'.repeat(size)],
    ['comments', (size: number) => '{{/* x */ -}}'.repeat(size / 13)],
    ['comments that are never closed', (size: number) => '{{/* */'.repeat(size / 7)],
    ['variables', (size: number) => Array.from({ length: size / 16 }, (_, at) => `{{$v${at} := 1}}`).join('')],
    ['uses of the first of many variables', (size: number) => '{{$v:=1}}{{$v}}'.repeat(size / 15)],
    ['quotes', (size: number) => `{{ ${'"'.repeat(size)} }}`],
    ['percent signs', (size: number) => `{{ printf "${'%'.repeat(size)}" }}`],
    ['zeros in a format', (size: number) => `{{ printf "%${'0'.repeat(size)}" 1 }}`],
  ])('takes time in proportion to its length: %s', (_, sourceOf) => {
    const half = 30_000;
    expect(timeOf(sourceOf(2 * half))).toBeLessThan(Math.max(5 * timeOf(sourceOf(half)), 300));
  });

  it('leaves text without actions as it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        fc.pre(!text.includes('{{'));
        expect(render(text)).toBe(text);
      }),
    );
  });

  it('either renders or explains, whatever it is given', () => {
    const piece = fc.constantFrom(
      '{{',
      '}}',
      '-',
      ' ',
      'name',
      'if ',
      'end',
      'range ',
      '$x',
      ':=',
      '|',
      '(',
      ')',
      '"',
      '.',
      '1',
      'else',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
        try {
          render(pieces.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(AgentError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('checks a template without values', () => {
    expect(() => checkTemplate('{{ if name }}', ['name'])).toThrowError('without {{end}}');
    expect(() => checkTemplate('{{ variables.whatever }}', ['variables'])).not.toThrow();
  });
});
