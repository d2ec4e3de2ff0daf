import * as api from '@opentelemetry/api';
import * as isotrace from 'isotrace';
import { play } from './scenario.cjs';

await play(isotrace, api, async (name) => {
  if (!name.endsWith('.json')) return import(name);
  return (await import(name, { with: { type: 'json' } })).default;
});
