import { describe, expect, it } from 'vitest';
import { expectTraces, file, runApp } from './app-process.ts';

const REGISTER = file('../../src/register.ts');

describe('--import isotrace/register', { timeout: 120_000 }, () => {
  it.each(['app.mjs', 'app.cjs'])('lets each request of %s be traced by its own tenant', async (app) => {
    const result = await runApp(app, [REGISTER]);
    expect(result.installation).toEqual({ strategy: 'own', found: 'none' });
    expectTraces(result, ({ attributes }) => attributes['express.type'] === 'request_handler');
    for (const name of ['a', 'b']) expect(result.spans[name]?.map((span) => span.name)).toContain('GET /orders/:id');
  });

  it('leaves the application alone as long as no registry takes over', async () => {
    const result = await runApp('app.mjs', [REGISTER], { STRATEGY: 'join' });
    expect(result.installation).toMatchObject({
      strategy: 'join',
      found: 'none',
      advice: expect.any(String) as string,
    });
    expect(Object.values(result.spans).flat()).toEqual([]);
  });

  it('is what makes the difference', async () => {
    const result = await runApp('app.mjs', []);
    expect(result.installation).toEqual({ strategy: 'own', found: 'none' });
    expect(Object.values(result.spans).flat()).toEqual([]);
  });
});
