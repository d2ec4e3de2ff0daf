import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { handler } from './handler.ts';

// The gateway, for this machine: here a token is simply the tenant's name.
async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const tenant = /^Bearer (\w+)$/.exec(request.headers.authorization ?? '')?.[1];
  const symbol = /^\/quotes\/(\w+)$/.exec(request.url ?? '')?.[1];
  if (tenant === undefined || symbol === undefined) {
    response.writeHead(tenant === undefined ? 401 : 404).end();
    return;
  }
  const { statusCode, body } = await handler({
    routeKey: 'GET /quotes/{symbol}',
    headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
    pathParameters: { symbol },
    requestContext: { authorizer: { jwt: { claims: { tenant } } } },
  });
  response.writeHead(statusCode, { 'content-type': 'application/json' }).end(body);
}

const server = createServer((request, response) => {
  serve(request, response).catch((error: unknown) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
server.listen(Number(process.env['PORT'] ?? 3000), () => {
  const address = server.address();
  console.log(`listening on http://localhost:${typeof address === 'object' ? address?.port : address}`);
});
