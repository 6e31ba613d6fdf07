import { goJson } from '../lib/go-json.ts';
import { jsonHeaders, type HttpNotifier, subjectOf } from './notifier.ts';

/** Google Chat: a card by an incoming webhook. Its texts are HTML. */
export const gchat: HttpNotifier = {
  name: 'gchat',
  about: { title: 'Google Chat', url: 'https://developers.google.com/workspace/chat/quickstart/webhooks' },
  request(alert, { address, token }) {
    const section = (text: string): unknown => ({ widgets: [{ textParagraph: { text } }] });
    const card = {
      header: {
        title: 'Flagger',
        subtitle: subjectOf(alert),
        imageUrl: 'https://flagger.app/favicon.png',
      },
      sections: [
        section(strong(alert.message, alert.severity === 'error' ? red : grey)),
        ...alert.fields.map(({ name, value }) => section(`${escaped(name)}<br>${strong(value, grey)}`)),
      ],
    };
    return { url: address, headers: jsonHeaders(token), body: goJson({ cards: [card] }) };
  },
};

/** Flagger's, for all; an error is to be seen as one. */
const [grey, red] = ['#848484', '#C5221F'] as const;
const strong = (text: string, color: string): string => `<font color=${color}><strong>${escaped(text)}</strong></font>`;

/** Names and messages are not to make links. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
