import type { ApiRoute } from './api-route.ts';
import type { SchemaComponents } from './response-schema.ts';

/** Describes the API by OpenAPI 3.1: from the table that checks its requests, and the schemas that its answers are compiled against. */
export function describeApi(routes: readonly ApiRoute[], version: string): Record<string, unknown> {
  const paths: Record<string, unknown> = {};
  const components: SchemaComponents = new Map([['Problem', PROBLEM]]);
  for (const route of routes) {
    const { path, summary, answer, parameters } = route;
    const inPath = new Set([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    paths[`/api/v1/${path}`] = {
      get: {
        summary,
        operationId: path.replaceAll(/[{}]/g, '').replaceAll('/', '_'),
        parameters: Object.entries(parameters).map(([name, { description, required, schema }]) => ({
          name,
          in: inPath.has(name) ? 'path' : 'query',
          required: required || inPath.has(name),
          description,
          schema,
        })),
        responses: {
          200: { description: answer, content: describeContent(route, components) },
          ...problems(),
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'isotrace dashboard', version },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: Object.fromEntries(components),
    },
    security: [{}, { token: [] }],
  };
}

const PROBLEM = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message'],
      properties: {
        message: { type: 'string' },
        parameter: { type: 'string' },
        position: { type: 'object', properties: { start: { type: 'integer' }, end: { type: 'integer' } } },
      },
    },
  },
};

/** OpenAPI 3.1 has no words for the events of a stream: `x-events` tells by name what their `data` holds. */
function describeContent({ schema, events }: ApiRoute, components: SchemaComponents): object {
  if (events === undefined) return { 'application/json': { schema: schema.describe(components) } };
  const described = Object.entries(events).map(([name, event]) => [name, event.describe(components)]);
  return { 'text/event-stream': { schema: { type: 'string' }, 'x-events': Object.fromEntries(described) } };
}

function problems(): Record<string, unknown> {
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return {
    400: { description: 'A parameter is wrong', content },
    401: { description: 'The token is missing or unknown', content },
    403: { description: 'The token, the host or the origin is not allowed', content },
    404: { description: 'There is no such thing', content },
  };
}
