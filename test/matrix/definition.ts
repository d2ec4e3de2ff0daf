import { EXAMPLE_TRIALS, INIT_TRIALS } from '../../scripts/example-trials.ts';

/** What the install matrix runs; README's table of supported versions says the same. */

export type OtelLine = '2.12' | '3.1';
export type Manager = 'npm' | 'pnpm';
export type ModuleKind = 'esm' | 'cjs';
/** Which of isotrace's peers a project has: those that it cannot do without, or all. */
export type PeerSet = 'required' | 'all';
/** Consumers of the types: `main.mts` needs no optional peer, `adapters.mts` all, `required.cts` is CommonJS. */
export type Consumer = 'main.mts' | 'adapters.mts' | 'required.cts';

export interface Project {
  /** `20.19` is the newest of 20.19, `20` the newest of all. */
  readonly node: string;
  readonly otel: OtelLine;
  readonly manager: Manager;
  readonly peers: PeerSet;
  /** Compilers that its types are tried with. */
  readonly typescript: readonly string[];
  /** Part of the short form. */
  readonly short: boolean;
}

export const MODULE_KINDS: readonly ModuleKind[] = ['esm', 'cjs'];

export const TYPESCRIPT = ['5.4', '5.9', '6.0', '7.0'] as const;

/** What a host of each line of OpenTelemetry has in its package.json. */
export const OTEL_PACKAGES: Readonly<Record<OtelLine, Readonly<Record<PeerSet, Readonly<Record<string, string>>>>>> = {
  '2.12': {
    required: {
      '@opentelemetry/api': '~1.9.1',
      '@opentelemetry/context-async-hooks': '~2.12.0',
      '@opentelemetry/resources': '~2.12.0',
      '@opentelemetry/sdk-trace': '~2.12.0',
    },
    all: {
      '@opentelemetry/api-logs': '^0.223.0',
      '@opentelemetry/auto-instrumentations-node': '^0.81.0',
      '@opentelemetry/instrumentation': '^0.223.0',
    },
  },
  '3.1': {
    required: {
      '@opentelemetry/api': '~1.10.0',
      '@opentelemetry/context-async-hooks': '~3.1.0',
      '@opentelemetry/resources': '~3.1.0',
      '@opentelemetry/sdk-trace': '~3.1.0',
    },
    all: {
      '@opentelemetry/api-logs': '^0.223.0',
      // It is of OpenTelemetry 3, and asks for instrumentation 0.300; its own dependencies bring 3.0 and 3.1.
      '@opentelemetry/auto-instrumentations-node': '^0.82.0',
      '@opentelemetry/instrumentation': '^0.300.0',
    },
  },
};

/** The optional peers that are not of OpenTelemetry, and what their types ask for. */
export const OTHER_PEERS: Readonly<Record<string, string>> = {
  '@grpc/grpc-js': '^1.14.0',
  '@nestjs/common': '^11.0.0',
  '@nestjs/core': '^11.0.0',
  express: '^5.0.0',
  fastify: '^5.0.0',
  hono: '^4.8.0',
  rxjs: '^7.8.0',
};

/** What programs of users have beside: types, and what Nest asks for. */
export const HOST_PACKAGES: Readonly<Record<PeerSet, Readonly<Record<string, string>>>> = {
  required: { '@types/node': '^20.19.0' },
  all: { '@types/express': '^5.0.0', '@types/node': '^20.19.0', 'reflect-metadata': '^0.2.0' },
};

export const PROJECTS: readonly Project[] = [
  { node: '20.19', otel: '2.12', manager: 'npm', peers: 'all', typescript: TYPESCRIPT, short: false },
  { node: '20', otel: '2.12', manager: 'npm', peers: 'required', typescript: [], short: true },
  { node: '20', otel: '2.12', manager: 'pnpm', peers: 'required', typescript: [], short: false },
  { node: '22', otel: '3.1', manager: 'npm', peers: 'required', typescript: [], short: false },
  { node: '24', otel: '2.12', manager: 'npm', peers: 'required', typescript: [], short: false },
  { node: '24', otel: '3.1', manager: 'npm', peers: 'required', typescript: ['5.4'], short: true },
  { node: '24', otel: '3.1', manager: 'pnpm', peers: 'required', typescript: ['5.9'], short: false },
  { node: '26', otel: '3.1', manager: 'npm', peers: 'all', typescript: TYPESCRIPT, short: false },
];

/**
 * What is written, installed, compiled, started and used as a user would: the examples with the ranges of their own
 * package.json, what `init` writes with the commands that it prints.
 */
export const TRIALS: readonly string[] = [...EXAMPLE_TRIALS, ...INIT_TRIALS].map(({ title }) => title);

/** On what all our tests run, beside the versions that they are developed with. */
export const SUITE = { node: '24', otel: '3.1' } as const satisfies { node: string; otel: OtelLine };

/** What each entry needs beside the required peers; without that it cannot be imported. */
export const ENTRY_PEERS: Readonly<Record<string, string>> = {
  './grpc': '@grpc/grpc-js',
  './hono': 'hono',
  './nestjs': '@nestjs/common',
};

export function titleOf({ node, otel, manager, peers }: Project): string {
  return `${manager} ${peers === 'all' ? 'all peers' : 'required peers'}, Node ${node}, OpenTelemetry ${otel}`;
}

/** TypeScript knows since 5.8 that CommonJS can require ES modules. */
export function consumersOf({ peers }: Project, typescript: string): readonly Consumer[] {
  return [
    'main.mts',
    ...(peers === 'all' ? (['adapters.mts'] as const) : []),
    ...(typescript === '5.4' ? [] : (['required.cts'] as const)),
  ];
}

/** The package.json of a project, but for isotrace. */
export function dependenciesOf({ otel, peers }: Project): Record<string, string> {
  const { required, all } = OTEL_PACKAGES[otel];
  return { ...required, ...(peers === 'all' && { ...all, ...OTHER_PEERS }), ...HOST_PACKAGES[peers] };
}

/** The rows of the table in the README. */
export function supportedVersions(): string[] {
  const nodes = [...new Set(PROJECTS.map(({ node }) => node))];
  return nodes.map((node) => {
    const projects = PROJECTS.filter((project) => project.node === node);
    const listed = (values: readonly string[]): string => [...new Set(values)].sort().join(', ');
    const otel = listed(projects.map((project) => project.otel));
    const managers = listed(projects.map(({ manager }) => manager));
    const name = node === '20.19' ? '20.19' : `${node}, the newest`;
    return `| ${name} | ${otel} | ES modules, CommonJS | ${managers} |`;
  });
}
