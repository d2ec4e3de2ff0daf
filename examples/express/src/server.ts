import createApp, { type ErrorRequestHandler } from 'express';
import { recordErrors } from 'isotrace/express';
import { Orders } from './orders.ts';
import { registry, telemetry } from './telemetry.ts';
import { findByKey, type Tenant } from './tenants.ts';

const app = createApp();
const orders = new Orders();

app.use((request, response, next) => {
  const tenant = findByKey(request.get('x-api-key'));
  if (request.path === '/health' || tenant !== undefined) {
    response.locals['tenant'] = tenant;
    next();
  } else {
    response.status(401).json({ error: 'x-api-key is missing or not known' });
  }
});
app.use(telemetry);
app.use(createApp.json());

app.get('/health', (_request, response) => void response.json({ ok: true }));
app.post('/orders', async (request, response) => {
  const { item, card } = (request.body ?? {}) as { item?: unknown; card?: unknown };
  if (typeof item !== 'string' || typeof card !== 'string') {
    response.status(400).json({ error: 'an order has an item and a card' });
    return;
  }
  const tenant = response.locals['tenant'] as Tenant;
  response.status(201).json(await orders.add(tenant.id, item, card));
});
app.get('/orders/:id', async (request, response) => {
  const tenant = response.locals['tenant'] as Tenant;
  response.json(await orders.find(tenant.id, request.params.id));
});

const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  const isMissing = error instanceof RangeError;
  response.status(isMissing ? 404 : 500).json({ error: isMissing ? error.message : 'something went wrong' });
};
app.use(recordErrors());
app.use(answerError);
const server = app.listen(Number(process.env['PORT'] ?? 3000), () => {
  const address = server.address();
  console.log(`listening on http://localhost:${typeof address === 'object' ? address?.port : address}`);
});
// What is under way is answered first; then everything that waits is delivered.
process.once('SIGTERM', () => server.close(() => void registry.shutdown()));
