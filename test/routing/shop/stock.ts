// The second service: knows the tenant from a header of the first.
import express from 'express';
import { registryOf, serve } from './service.ts';

const registry = registryOf('stock');
const app = express();
app.use(function enterTenant(request, _response, next) {
  registry.run(String(request.headers['x-tenant']), next);
});
app.get('/stock/:id', (request, response) => {
  response.send(request.params.id);
});
await serve(registry, app);
