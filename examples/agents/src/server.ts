import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { http, recordError } from 'isotrace/http';
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

/** What somebody asks; throws a `SyntaxError` on what is no question. */
async function readQuestion(request: IncomingMessage): Promise<Question> {
  const { conversation, question } = JSON.parse(await text(request)) as Partial<Question>;
  if (typeof conversation === 'string' && typeof question === 'string') return { conversation, question };
  throw new SyntaxError('a question has a conversation and a question, both texts');
}

const answerQuestion = telemetry(async (request, response) => {
  const tracer = registry.current();
  if (tracer === undefined) {
    response.writeHead(401).end();
    return;
  }
  try {
    const { conversation, question } = await readQuestion(request);
    const words = await tracer.withSession({ id: conversation, inputs: { question } }, () =>
      tracer.withConversation(conversation, () => answer(question)),
    );
    const { calls = 0, inputTokens = 0, outputTokens = 0, cost = 0 } = tracer.usage() ?? {};
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ answer: words, usage: { calls, inputTokens, outputTokens, cost } }));
  } catch (error) {
    recordError(request, error); // on the request's span; nobody else would see it
    response.writeHead(error instanceof SyntaxError ? 400 : 500).end();
  }
});

const server = createServer(answerQuestion);
server.listen(Number(process.env['PORT'] ?? 3000), () => {
  const address = server.address();
  console.log(`listening on http://localhost:${typeof address === 'object' ? address?.port : address}`);
});
