import path from 'node:path';
import type { Framework, InitAnswers } from './answers.ts';
import { middlewareModule } from './middleware-template.ts';
import type { Project, Start } from './project.ts';

const SDK = ['resources', 'sdk-trace', 'context-async-hooks'].map((name) => `@opentelemetry/${name}`);

/** What every package of OpenTelemetry's SDK depends on; not a peer of isotrace. */
const CORE = '@opentelemetry/core';

/** What the framework and its types come from, in the versions that there are adapters for. */
const FRAMEWORK_PACKAGES: Readonly<
  Record<Framework, { readonly runs: readonly string[]; readonly types: readonly string[] }>
> = {
  express: { runs: ['express@5'], types: ['@types/express@5'] },
  fastify: { runs: ['fastify@5'], types: [] },
  koa: { runs: ['koa@3'], types: ['@types/koa@3'] },
  hono: { runs: ['hono@4'], types: [] },
  http: { runs: [], types: [] },
  nestjs: { runs: ['@nestjs/common@11', '@nestjs/core@11', 'rxjs@7'], types: [] },
  none: { runs: [], types: [] },
};

/** The commands that install what the project does not depend on yet. */
export function installCommands(framework: Framework, { dependencies, isTypeScript, start }: Project): string[] {
  const { runs, types } = FRAMEWORK_PACKAGES[framework];
  // Version 3 of OpenTelemetry needs Node.js 22; two lines of it in one project do not mix.
  const has3 = [CORE, ...SDK].some((name) => /^[\^~>=]*3\./.test(dependencies.get(name) ?? ''));
  const missing = (wanted: readonly string[]): string[] =>
    wanted.filter((name) => !dependencies.has(name.replace(/(?<=.)@.*$/, '')));
  const sdk = missing(SDK.map((name) => `${name}@${has3 ? '3' : '2'}`));
  // Each line names the API that it is for, and no later one.
  const api = `@opentelemetry/api@${has3 ? '1.10' : '1.9'}`;
  const packages = [...missing(['isotrace', api]), ...sdk, ...missing(runs)];
  // What is written is TypeScript; `tsx` starts it without more ado.
  const development = [...(isTypeScript ? [] : ['typescript', 'tsx']), ...missing(['@types/node', ...types])];
  return [
    ...(packages.length > 0 ? [`${start.manager.add} ${packages.join(' ')}`] : []),
    ...(development.length > 0 ? [`${start.manager.addForDevelopment} ${development.join(' ')}`] : []),
  ];
}

/** The lines that tie the application to its telemetry. */
export function applicationLines({ framework, directory }: InitAnswers, { javaScript }: Start): string[] {
  const { file, exported } = middlewareModule(framework);
  // TypeScript finds `middleware.ts` by the name that it will have; in JavaScript nothing but its own name does.
  const name = `./${path.posix.join(directory.replace(/^src\//, ''), file)}.${javaScript === undefined ? 'js' : 'ts'}`;
  const names = framework === 'express' ? `${exported}, telemetryErrors` : exported;
  const line =
    javaScript?.isModule === false ? `const { ${names} } = require('${name}');` : `import { ${names} } from '${name}';`;
  return [line, ...USES[framework]];
}

/** The commands that show what comes of it. */
export function tryCommands({ destination }: InitAnswers, start: Start): string[] {
  const isotrace = `${start.manager.run} isotrace`;
  const program = programOf(start);
  const watch = {
    dashboard: `${isotrace} run -- ${program}`,
    collector: `${isotrace} run --tenant-header X-Scope-OrgID -- ${program}`,
    directory: `${isotrace} dashboard # where the accounts of .env.example send to`,
  };
  return [
    watch[destination],
    `${isotrace} tail      # in another terminal`,
    `${isotrace} doctor    # finds what is wrong`,
  ];
}

function programOf({ manager, isKnown, javaScript }: Start): string {
  if (!isKnown) return `${manager.run} tsx app.ts # or whatever starts your program`;
  if (javaScript === undefined) return manager.start;
  return `${manager.run} tsx ${javaScript.command} # tsx for node also in "start": what was written is TypeScript`;
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
