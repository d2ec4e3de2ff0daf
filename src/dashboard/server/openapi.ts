import type { ApiRoute } from './api-route.ts';

/** Describes the API by OpenAPI 3.1, from the table that checks its requests. */
export function describeApi(routes: readonly ApiRoute[], version: string): Record<string, unknown> {
  const paths: Record<string, unknown> = {};
  for (const { path, summary, answer, parameters } of routes) {
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
          200: { description: answer, content: { [contentTypeOf(path)]: {} } },
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
      schemas: { Problem: PROBLEM },
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

function contentTypeOf(path: string): string {
  return path === 'live' ? 'text/event-stream' : 'application/json';
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
