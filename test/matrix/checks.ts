import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkTypes } from './check-types.ts';
import {
  dependenciesOf,
  type Manager,
  MODULE_KINDS,
  type ModuleKind,
  type OtelLine,
  PROJECTS,
  type Project,
  SUITE,
  TRIALS,
  titleOf,
} from './definition.ts';
import { findCopies, install, writeManifest } from './package-manager.ts';
import { runExample } from './run-example.ts';
import { runHost } from './run-host.ts';
import { runSuite } from './run-suite.ts';
import type { Tools } from './tools.ts';

/** One row of the table. */
export interface Check {
  readonly title: string;
  readonly node: string;
  readonly otel: OtelLine | 'own ranges';
  readonly manager: Manager;
  readonly module: ModuleKind | 'both';
  /** Part of the short form. */
  readonly short: boolean;
  /** Resolves with what was seen; rejects with what is wrong. */
  run(): Promise<string>;
}

export interface CheckOptions {
  /** Everything is done below it. */
  readonly workspace: string;
  readonly tools: Tools;
  /** What of the tests runs on OpenTelemetry 3.1; none: all. */
  readonly filters: readonly string[];
}

export function createChecks({ workspace, tools, filters }: CheckOptions): Check[] {
  const projects = PROJECTS.map((project) => new InstalledProject(project, workspace, tools));
  return [
    ...projects.flatMap((project) => project.checks()),
    ...TRIALS.map((title) => trialCheck(title, projects, { workspace, tools })),
    {
      title: 'all tests',
      ...SUITE,
      manager: 'npm',
      module: 'esm',
      short: false,
      run: async () => {
        const directory = path.join(workspace, 'suite');
        return runSuite({ directory, node: await tools.node(SUITE.node), filters });
      },
    },
  ];
}

function trialCheck(
  title: string,
  projects: readonly InstalledProject[],
  { workspace, tools }: Pick<CheckOptions, 'workspace' | 'tools'>,
): Check {
  const [major = ''] = process.versions.node.split('.');
  const run = async (): Promise<string> => {
    // Any project on which this Node can run the command line.
    const project = projects.find(({ definition }) => definition.short && definition.otel === '2.12');
    assert.ok(project);
    const directory = await project.installed();
    const manifest = JSON.parse(await readFile(path.join(directory, 'node_modules/isotrace/package.json'), 'utf8'));
    const { bin } = manifest as { readonly bin: Readonly<Record<string, string>> };
    const cli = path.join(directory, 'node_modules/isotrace', bin['isotrace'] ?? '');
    return runExample({ title, workspace, cli, tarball: await tools.isotrace() });
  };
  return {
    title,
    node: major,
    otel: 'own ranges',
    manager: 'npm',
    module: 'esm',
    short: false,
    run,
  };
}

/** A project of the definition, which is installed once for all that is tried in it. */
class InstalledProject {
  readonly definition: Project;
  readonly #workspace: string;
  readonly #tools: Tools;
  #installed: Promise<string> | undefined;

  constructor(definition: Project, workspace: string, tools: Tools) {
    this.definition = definition;
    this.#workspace = workspace;
    this.#tools = tools;
  }

  checks(): Check[] {
    const { typescript, peers, ...rest } = this.definition;
    const { node, otel, manager, short } = rest;
    const row = { node, otel, manager, short };
    const has = peers === 'all' ? 'all peers' : 'required peers';
    return [
      { ...row, title: `installs, ${has}`, module: 'both', run: () => this.#checkInstalled() },
      ...MODULE_KINDS.map((module) => ({ ...row, title: `runs, ${has}`, module, run: () => this.#run(module) })),
      ...typescript.map((version): Check => {
        const title = `TypeScript ${version}, ${has}`;
        return { ...row, title, module: version === '5.4' ? 'esm' : 'both', run: () => this.#compile(version) };
      }),
    ];
  }

  /** The directory. */
  installed(): Promise<string> {
    this.#installed ??= this.#install();
    return this.#installed;
  }

  async #install(): Promise<string> {
    const { node, otel, manager, peers } = this.definition;
    const directory = path.join(this.#workspace, `${manager}-node${node}-otel${otel}-${peers}`);
    const isotrace = `file:${await this.#tools.isotrace()}`;
    await writeManifest(directory, { dependencies: { isotrace, ...dependenciesOf(this.definition) } });
    const pnpm = manager === 'pnpm' ? await this.#tools.pnpm() : '';
    // Of the frameworks some bring packages that ask for a newer Node than the oldest, and run on it.
    const strictEngines = peers === 'required';
    await install({ directory, node: await this.#tools.node(node), strictEngines, manager, pnpm });
    return directory;
  }

  async #checkInstalled(): Promise<string> {
    const directory = await this.installed();
    const copies = await findCopies(directory, '@opentelemetry/api');
    assert.equal(copies.length, 1, `copies of @opentelemetry/api in ${titleOf(this.definition)}: ${copies.join(', ')}`);
    return `one @opentelemetry/api, ${copies.join()}`;
  }

  async #run(module: ModuleKind): Promise<string> {
    const { node, peers } = this.definition;
    return runHost({ directory: await this.installed(), node: await this.#tools.node(node), module, peers });
  }

  async #compile(typescript: string): Promise<string> {
    const tsc = await this.#tools.typescript(typescript);
    const { node } = this.definition;
    const directory = await this.installed();
    return checkTypes({ directory, node: await this.#tools.node(node), project: this.definition, typescript, tsc });
  }
}
