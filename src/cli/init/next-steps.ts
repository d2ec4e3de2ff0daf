import path from 'node:path';
import type { Framework, InitAnswers } from './answers.ts';
import { middlewareModule } from './middleware-template.ts';
import type { Project } from './project.ts';

const SDK = ['resources', 'sdk-trace', 'context-async-hooks'].map((name) => `@opentelemetry/${name}`);

/** What every package of OpenTelemetry's SDK depends on; not a peer of isotrace. */
const CORE = '@opentelemetry/core';

/** What the framework and its types come from. */
const FRAMEWORK_PACKAGES: Readonly<
  Record<Framework, { readonly runs: readonly string[]; readonly types: readonly string[] }>
> = {
  express: { runs: ['express'], types: ['@types/express'] },
  fastify: { runs: ['fastify'], types: [] },
  koa: { runs: ['koa'], types: ['@types/koa'] },
  hono: { runs: ['hono'], types: [] },
  http: { runs: [], types: [] },
  nestjs: { runs: ['@nestjs/common', '@nestjs/core', 'rxjs'], types: [] },
  none: { runs: [], types: [] },
};

/** The commands that install what the project does not depend on yet. */
export function installCommands(framework: Framework, { dependencies, isTypeScript }: Project): string[] {
  const { runs, types } = FRAMEWORK_PACKAGES[framework];
  // Version 3 of OpenTelemetry needs Node.js 22; two lines of it in one project do not mix.
  const has3 = [CORE, ...SDK].some((name) => /^[\^~>=]*3\./.test(dependencies.get(name) ?? ''));
  const missing = (names: readonly string[]): string[] => names.filter((name) => !dependencies.has(name));
  const sdk = missing(SDK).map((name) => `${name}@${has3 ? '3' : '2'}`);
  const packages = [...missing(['isotrace', '@opentelemetry/api']), ...sdk, ...missing(runs)];
  // What is written is TypeScript; `tsx` starts it without more ado.
  const development = [...(isTypeScript ? [] : ['typescript', 'tsx']), ...missing(['@types/node', ...types])];
  return [
    ...(packages.length > 0 ? [`npm install ${packages.join(' ')}`] : []),
    ...(development.length > 0 ? [`npm install --save-dev ${development.join(' ')}`] : []),
  ];
}

/** The lines that tie the application to its telemetry. */
export function applicationLines({ framework, directory }: InitAnswers): string[] {
  const { file, exported } = middlewareModule(framework);
  const from = path.posix.join(directory.replace(/^src\//, ''), `${file}.js`);
  const names = framework === 'express' ? `${exported}, telemetryErrors` : exported;
  return [`import { ${names} } from './${from}';`, ...USES[framework]];
}

/** The command that shows what comes of it. `start` is what starts the project, as far as it says so. */
export function tryCommand({ destination }: InitAnswers, start: string | undefined): string {
  const program = start ?? 'npx tsx app.ts # or whatever starts your program';
  switch (destination) {
    case 'dashboard':
      return `npx isotrace run -- ${program}`;
    case 'collector':
      return `npx isotrace run --tenant-header X-Scope-OrgID -- ${program}`;
    case 'directory':
      return 'npx isotrace dashboard # where the accounts of .env.example send to';
  }
}

const USES: Readonly<Record<Framework, readonly string[]>> = {
  express: [
    'app.use(telemetry); // after authentication, before the routes',
    'app.use(telemetryErrors); // after the routes, before your error handlers',
  ],
  fastify: ['await app.register(telemetry); // after authentication, before the routes'],
  koa: ['app.use(telemetry); // after authentication, before the routes'],
  hono: ['app.use(telemetry); // after authentication, before the routes'],
  http: ['createServer(telemetry((request, response) => { … }));'],
  nestjs: ['@Module({ imports: [TelemetryModule, …] })'],
  none: ["await runAs('acme', 'nightly report', async () => { … });"],
};
