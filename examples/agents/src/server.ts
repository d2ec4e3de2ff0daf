import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { http } from 'isotrace/http';
import { answer } from './agent.ts';
import { registry } from './telemetry.ts';

interface Question {
  readonly conversation: string;
  readonly question: string;
}

const keys = new Map([
  ['Bearer key-of-acme', 'acme'],
  ['Bearer key-of-globex', 'globex'],
]);
const tenantOf = ({ headers }: IncomingMessage): string | undefined => keys.get(headers.authorization ?? '');
const telemetry = http(registry, { tenant: tenantOf, route: () => '/ask' });

const server = createServer(
  telemetry(async (request, response) => {
    const tracer = registry.current();
    if (tracer === undefined) {
      response.writeHead(401).end();
      return;
    }
    const { conversation, question } = JSON.parse(await text(request)) as Question;
    const words = await tracer.withSession({ id: conversation, inputs: { question } }, () =>
      tracer.withConversation(conversation, () => answer(question)),
    );
    const { calls = 0, inputTokens = 0, outputTokens = 0, cost = 0 } = tracer.usage() ?? {};
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ answer: words, usage: { calls, inputTokens, outputTokens, cost } }));
  }),
);
server.listen(Number(process.env['PORT'] ?? 3000), () => {
  const address = server.address();
  console.log(`listening on http://localhost:${typeof address === 'object' ? address?.port : address}`);
});
