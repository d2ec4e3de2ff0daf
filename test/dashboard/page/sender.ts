/** Another process, traced by isotrace: ends a span by the name that it is sent. */
import { TracerRegistry } from '../../../src/index.ts';

const [, , endpoint = ''] = process.argv;
const registry = new TracerRegistry({
  service: { name: 'sender' },
  configure: () => ({ destination: { endpoint }, batch: { delayMillis: 20 }, attributes: { 'tenant.id': 'sender' } }),
});
const tracer = registry.get('sender');
process.on('message', (name) => tracer.startSpan(String(name)).end());
process.send?.('ready');
