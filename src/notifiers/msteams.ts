import { goJson } from '../lib/go-json.ts';
import { type Alert, jsonHeaders, type HttpNotifier, subjectOf } from './notifier.ts';

/** Hosts of Teams' Workflows, which replaced connectors and take Adaptive Cards. */
const workflowHosts = ['.logic.azure.com', '.powerplatform.com', '.powerautomate.com'];

/** Microsoft Teams: a connector's MessageCard as Flagger sends it, or an Adaptive Card where the address is a Workflow's. */
export const msteams: HttpNotifier = {
  name: 'msteams',
  about: {
    title: 'Microsoft Teams',
    url: 'https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using',
    notes: "a connector's card, or an Adaptive Card where the address is a Workflow's",
  },
  request(alert, { address, token }) {
    const { hostname } = new URL(address);
    const isWorkflow = workflowHosts.some((host) => hostname.endsWith(host));
    const body = goJson(isWorkflow ? adaptiveCard(alert) : messageCard(alert));
    return { url: address, headers: jsonHeaders(token), body };
  },
};

/** https://learn.microsoft.com/en-us/outlook/actionable-messages/message-card-reference */
function messageCard(alert: Alert): unknown {
  return {
    '@type': 'MessageCard',
    '@context': 'http://schema.org/extensions',
    themeColor: alert.severity === 'error' ? 'FF0000' : '0076D7',
    summary: subjectOf(alert),
    sections: [
      {
        activityTitle: alert.message,
        activitySubtitle: subjectOf(alert),
        facts: alert.fields.map(({ name, value }) => ({ name, value })),
      },
    ],
  };
}

/** https://adaptivecards.io/explorer/ Plain TextBlocks: what stands in them is Markdown at most. */
function adaptiveCard(alert: Alert): unknown {
  const title = {
    type: 'TextBlock',
    text: alert.message,
    weight: 'Bolder',
    wrap: true,
    color: alert.severity === 'error' ? 'Attention' : alert.severity === 'warn' ? 'Warning' : 'Good',
  };
  const subtitle = { type: 'TextBlock', text: subjectOf(alert), isSubtle: true, wrap: true };
  const facts = alert.fields.map(({ name, value }) => ({ title: name, value }));
  return {
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [title, subtitle, ...(facts.length > 0 ? [{ type: 'FactSet', facts }] : [])],
        },
      },
    ],
  };
}
