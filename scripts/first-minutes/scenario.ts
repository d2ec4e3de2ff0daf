import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { linkPackages, plantPlugin, removePlugin, type Workspace, writePlugin } from './project.ts';
import type { Session } from './session.ts';

interface Minutes {
  readonly workspace: Workspace;
  readonly session: Session;
  /** Whether packages are linked instead of installed, and ports are any that are free. */
  readonly linked: boolean;
  readonly ports: { readonly dashboard: number; readonly app: number };
}

const SDK = ['resources', 'sdk-trace', 'context-async-hooks'].map((name) => `@opentelemetry/${name}`);
const PACKAGES = ['express', '@opentelemetry/api', ...SDK, 'typescript', 'tsx', '@types/node', '@types/express'];

const BEFORE = `import express from 'express';

const app = express();

app.get('/orders/:id', (req, res) => {
  res.json({ id: req.params.id, item: 'bread' });
});
app.get('/fail', () => {
  throw new Error('no bread left');
});

app.listen(process.env.PORT ?? 3000, () => console.log('the shop is open'));
`;

const AFTER = `import express from 'express';
import { telemetry, telemetryErrors } from './telemetry/middleware.js';
import { registry } from './telemetry/registry.js';

const app = express();
app.use(telemetry); // after authentication, before the routes

app.get('/orders/:id', async (req, res) => {
  const order = await registry.withSpan('load order', async (span) => {
    span.setAttribute('order.id', req.params.id);
    return { id: req.params.id, item: 'bread' };
  });
  registry.current()?.log.info('order shown', { 'order.id': order.id });
  res.json(order);
});
app.get('/fail', () => {
  throw new Error('no bread left');
});

app.use(telemetryErrors); // after the routes, before your error handlers
app.listen(process.env.PORT ?? 3000, () => console.log('the shop is open'));
`;

/** The first ten minutes of somebody who tries isotrace, as a page. Every command is run; what it prints is on the page. */
export async function firstMinutes({ workspace, session, linked, ports }: Minutes): Promise<string> {
  const { project } = workspace;
  const page: string[] = [];
  const say = (...texts: readonly string[]): void => void page.push(...texts);
  const install = async (command: string): Promise<void> => {
    if (!linked) say(await session.run(command));
  };
  writePlugin(workspace);
  const manifest = { name: 'shop', private: true, type: 'module', scripts: { start: 'tsx app.ts' } };
  writeFileSync(path.join(project, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  writeFileSync(path.join(project, 'app.ts'), BEFORE);
  if (linked) linkPackages(workspace, PACKAGES);

  say('## A service', 'There is a service for many customers, `app.ts`:', listing(BEFORE));
  await install('npm install express');
  await install('npm install --save-dev typescript tsx @types/node @types/express');

  say('## Install', '`isotrace`, here as the tarball that `npm pack` made, and what it takes from OpenTelemetry:');
  await install(`npm install ../${workspace.tarball} @opentelemetry/api ${SDK.join(' ')}`);
  // What `npm install` would have written into `package.json`, by which `init` goes.
  if (linked) {
    const dependencies = Object.fromEntries([...PACKAGES, 'isotrace'].map((name) => [name, '*']));
    writeFileSync(path.join(project, 'package.json'), JSON.stringify({ ...manifest, dependencies }));
  }
  say(await session.run('npx isotrace init --yes'));
  say(
    'It saw Express, and wrote two modules and their README. The three lines go into `app.ts`, and a span and a log record of our own with them:',
    listing(AFTER),
  );
  writeFileSync(path.join(project, 'app.ts'), AFTER);

  say(
    '## Two tenants',
    'The dashboard in one terminal, the service in the second, `tail` in the third. (`npx isotrace run -- npm start` is the first two in one.)',
  );
  const dashboardCommand = `npx isotrace dashboard${linked ? ` --port ${ports.dashboard}` : ''}`;
  const dashboard = session.start(dashboardCommand);
  await dashboard.printed(/send OTLP[^\n]*\n[\s\S]*\n/);
  say(session.keep('npx isotrace dashboard', dashboard.output));
  const shop = session.start(
    linked ? `ISOTRACE_ENDPOINT=http://localhost:${ports.dashboard} PORT=${ports.app} npm start` : 'npm start',
  );
  await shop.printed(/the shop is open/);
  say(session.keep('npm start', shop.output));
  const tail = session.start(`npx isotrace tail${linked ? ` --url http://127.0.0.1:${ports.dashboard}` : ''}`);
  await tail.printed(/following/);

  say(
    'In a fourth one, requests of two tenants, named by the header that `init` asks for while developing; one fails, and one says nothing of a tenant:',
  );
  const url = `http://localhost:${ports.app}`;
  const ask = async (rest: string, seen: RegExp | undefined): Promise<void> => {
    say(await session.run(`curl -s ${rest}`));
    if (seen !== undefined) await tail.printed(seen);
  };
  await ask(
    `-H 'x-tenant: acme' ${url}/orders/7`,
    /order shown[\s\S]*GET \/orders\/:id|GET \/orders\/:id[\s\S]*order shown/,
  );
  await ask(`-H 'x-tenant: globex' ${url}/orders/7`, /info +globex[\s\S]*ok +globex|ok +globex[\s\S]*info +globex/);
  await ask(`-H 'x-tenant: acme' -o /dev/null -w '%{http_code}' ${url}/fail`, /GET \/fail/);
  await ask(`${url}/orders/7`, undefined);
  say(
    '`tail` has shown them as they came, each with its tenant. The last one is nowhere: without a tenant a request is served, and not recorded.',
  );
  say(session.keep('npx isotrace tail', tail.output));

  say(
    '## The dashboard',
    'On its page, `http://127.0.0.1:4318`, the failed request is one click away:',
    '![A failed trace of one tenant, as the dashboard shows it](images/trace-light.png)',
    'Programs ask for the same over HTTP:',
  );
  const api = `http://127.0.0.1:${ports.dashboard}/api/v1`;
  say(await session.run(`curl -s '${api}/traces?tenant=acme&query=status:error'`));
  say(await session.run(`curl -s '${api}/traces?tenant=globex&query=status:error'`));
  say("`globex` had no failure, and sees nothing of another tenant's.");

  say(
    '## What is wrong',
    'Two mistakes, planted: a package that brings a copy of `@opentelemetry/api` of its own, and a key in a variable that every stock exporter of the process would send, wherever it is pointed to.',
  );
  const plugin = 'npm install --install-links ../shop-plugin';
  if (linked) plantPlugin(workspace);
  else await install(plugin);
  const leak = "OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer key-of-acme'";
  say(await session.run(`${leak} npx isotrace doctor`, { exitCode: 1 }));
  say(
    'Without the package and the variable, `doctor` is content. Now it may also send a span to the endpoint, load the registry, and send one for a tenant:',
  );
  if (linked) removePlugin(workspace);
  else await install('npm uninstall shop-plugin');
  const endpoint = `ISOTRACE_ENDPOINT=http://localhost:${ports.dashboard}`;
  const doctor = 'npx isotrace doctor --module ./telemetry/registry.ts --tenant acme';
  say(await session.run(`${endpoint} NODE_OPTIONS='--import tsx' ${doctor}`));
  say(
    '## From here',
    '[Concepts](concepts.md) has the words, [HTTP servers](http.md) whose request it is in production, [Configuration](configuration.md) where telemetry goes: `configure` in `telemetry/registry.ts` may answer an endpoint and a key for each tenant.',
  );
  return `${page.join('\n\n')}\n`;
}

/** Not as `ts`, which the documentation's tests run by itself. */
function listing(code: string): string {
  return `\`\`\`typescript\n${code}\`\`\``;
}
