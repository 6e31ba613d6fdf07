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
