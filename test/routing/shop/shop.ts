// Finds the tenant of a request late, in its third middleware and by asking, reads from PostgreSQL, and asks the stock.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inspect } from 'node:util';
import express, { type ErrorRequestHandler } from 'express';
import pg from 'pg';
import { registryOf, serve } from './service.ts';

const registry = registryOf('shop');
const pool = new pg.Pool({ host: process.env['PGHOST'] as string, user: 'shop', database: 'postgres', max: 16 });
const app = express();
app.use(function first(_request, _response, next) {
  next();
});
app.use(async function authenticate(request, response, next) {
  await nextTurn();
  response.locals['tenant'] = request.headers['x-tenant'];
  next();
});
app.use(function enterTenant(_request, response, next) {
  registry.run(response.locals['tenant'] as string, next);
});
app.get('/orders/:id', async (request, response) => {
  const { rows } = await pool.query<{ id: string }>('select $1::text as id', [request.params.id]);
  const headers = { 'x-tenant': response.locals['tenant'] as string };
  const stock = await fetch(`${process.env['STOCK']}/stock/${request.params.id}`, { headers });
  response.send(`${rows[0]?.id} ${await stock.text()}`);
});
app.use(((error, _request, response, _next) => {
  response.status(500).send(inspect(error));
}) satisfies ErrorRequestHandler);
await serve(registry, app, () => pool.end());
