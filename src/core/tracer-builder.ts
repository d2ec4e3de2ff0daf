import { processVariables, readHostPlatform } from '../infra/environment.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import type { BuilderConventions } from './builder-conventions.ts';
import { assembleOptions, draftOf } from './builder-options.ts';
import type { BuildResult, OptionsResult } from './builder-result.ts';
import { BuilderSteps } from './builder-steps.ts';
import {
  type BuilderValues,
  type BuilderVariable,
  readBuilderVariables,
  unsetIssue,
  type Variables,
} from './builder-variables.ts';
import { configError, resolveStandaloneSettings } from './config.ts';
import { createTracer } from './create-tracer.ts';
import type { TracerOptions } from './options.ts';
import type { Tracer } from './tracer.ts';

/**
 * Gathers the options of a tracer step by step, checks them all at the end, and can be cloned for every tenant. Of two
 * steps that set the same, the last counts. No step throws: what is not acceptable is an issue of the result.
 *
 * `with…FromEnv` read variables at once and report those that are not set; {@link withAutoConfiguration} reads
 * whatever is set. Their names are in `docs/builder.md`.
 */
export class TracerBuilder extends BuilderSteps {
  /** A builder that was told what the variables say. */
  static fromEnv(env?: Variables): TracerBuilder {
    return new TracerBuilder().withAutoConfiguration(env);
  }

  /** A builder of its own that was told the same; what either is told later, the other does not know. */
  clone(): this {
    const copy = new (this.constructor as new (conventions: BuilderConventions) => this)(this.conventions);
    copy.draft = this.draft;
    copy.problems = this.problems;
    return copy;
  }

  /** By `API_KEY_ID` and `API_KEY_SECRET`, after the prefix of the conventions. An issue for each that is not set. */
  withApiKeyFromEnv(env?: Variables): this {
    return this.#key(this.#read(['API_KEY_ID', 'API_KEY_SECRET'], env));
  }

  /** By `ENDPOINT`, after the prefix of the conventions. An issue where it is not set. */
  withEndpointFromEnv(env?: Variables): this {
    const fallback = (defaultEndpoint: string): this => this.tell({ defaultEndpoint });
    return this.#fromEnv('ENDPOINT', env, (text) => this.withEndpoint(text), fallback);
  }

  /** By `SERVICE_NAME` and `SERVICE_VERSION`, after the prefix of the conventions. An issue where there is no name. */
  withServiceFromEnv(env?: Variables): this {
    const { SERVICE_VERSION: version } = this.#read(['SERVICE_VERSION'], env);
    return this.#fromEnv('SERVICE_NAME', env, (name) => this.withService(name, version));
  }

  /** By `SERVICE_NAMESPACE`, after the prefix of the conventions. An issue where it is not set. */
  withServiceNamespaceFromEnv(env?: Variables): this {
    return this.#fromEnv('SERVICE_NAMESPACE', env, (text) => this.withServiceNamespace(text));
  }

  /** By `ENVIRONMENT`, after the prefix of the conventions. An issue where it is not set. */
  withEnvironmentFromEnv(env?: Variables): this {
    return this.#fromEnv('ENVIRONMENT', env, (text) => this.withEnvironment(text));
  }

  /** By `COLLECTOR_ID`, after the prefix of the conventions. An issue where it is not set. */
  withCollectorIdFromEnv(env?: Variables): this {
    return this.#fromEnv('COLLECTOR_ID', env, (text) => this.withCollectorId(text));
  }

  /** By `COLLECTOR_NAME`, after the prefix of the conventions. An issue where it is not set. */
  withCollectorNameFromEnv(env?: Variables): this {
    return this.#fromEnv('COLLECTOR_NAME', env, (text) => this.withCollectorName(text));
  }

  /** By `DATACENTER`, after the prefix of the conventions. An issue where it is not set. */
  withDatacenterFromEnv(env?: Variables): this {
    return this.#fromEnv('DATACENTER', env, (text) => this.withDatacenter(text));
  }

  /** Takes each variable that is set; none has to be. One that is not acceptable is an issue. Default: the process's. */
  withAutoConfiguration(env?: Variables): this {
    const values = this.#read(undefined, env);
    if (values.API_KEY_ID !== undefined || values.API_KEY_SECRET !== undefined) this.#key(values);
    const { ENDPOINT: defaultEndpoint } = this.conventions.variableDefaults ?? {};
    return this.tell({ defaultEndpoint, ...draftOf(values, this.draft) });
  }

  /** The options that the steps stand for, as `configure` of a registry may return them; or every problem. Never throws. */
  options(): OptionsResult {
    let assembled: ReturnType<typeof this.assemble>;
    try {
      assembled = this.assemble();
    } catch {
      // Of what is copied here; whatever is deeper is read with care.
      const received = 'a value that throws when it is read';
      return { ok: false, issues: [...this.problems.list(), { option: 'options', accepted: 'plain data', received }] };
    }
    const { options, issues } = assembled;
    const resolved = resolveStandaloneSettings({ ...options, ...this.#tenant() }, readHostPlatform().platform);
    const all = [...issues, ...resolved.issues];
    return all.length > 0 ? { ok: false, issues: all } : { ok: true, options };
  }

  /** A tracer without a registry, or every problem. Never throws. */
  build(): BuildResult {
    const result = this.options();
    if (!result.ok) return result;
    return { ok: true, tracer: createTracer({ ...result.options, ...this.#tenant() }) };
  }

  /** @throws IsotraceError with code `config_invalid` and every problem in `issues` */
  buildOrThrow(): Tracer {
    const result = this.build();
    if (result.ok) return result.tracer;
    throw configError(result.issues);
  }

  /** What the steps stand for, and what is wrong with them so far. For builders of other conventions to add to. */
  protected assemble(): { options: TracerOptions; issues: readonly ConfigIssue[] } {
    const { options, issues } = assembleOptions(this.draft, this.conventions);
    // An endpoint that was refused is told already.
    const isRefused = this.problems.has(`${this.conventions.variablePrefix}ENDPOINT`);
    return { options, issues: [...this.problems.list(), ...(isRefused ? [] : issues)] };
  }

  #tenant(): { tenantId?: string } {
    const { tenantId } = this.draft;
    return tenantId === undefined ? {} : { tenantId };
  }

  /** What is wrong with a key is told under the names of its variables. */
  #key({ API_KEY_ID: keyId, API_KEY_SECRET: keySecret }: BuilderValues): this {
    if (keyId === undefined) this.#missing('API_KEY_ID');
    if (keySecret === undefined) this.#missing('API_KEY_SECRET');
    if (keyId === undefined || keySecret === undefined) return this;
    this.withApiKey(keyId, keySecret);
    const { variablePrefix } = this.conventions;
    const names: Record<string, string> = { keyId: 'API_KEY_ID', keySecret: 'API_KEY_SECRET' };
    const named = this.problems.of('credentials').map((issue) => {
      const name = names[issue.option];
      return name === undefined ? issue : { ...issue, option: `${variablePrefix}${name}` };
    });
    return this.settle('credentials', named);
  }

  #fromEnv(
    name: BuilderVariable,
    env: Variables | undefined,
    use: (text: string) => this,
    useDefault: (text: string) => this = use,
  ): this {
    const value = this.#read([name], env)[name];
    if (value !== undefined) return use(String(value));
    const fallback = this.conventions.variableDefaults?.[name];
    if (fallback === undefined) return this.#missing(name);
    return fallback === '' ? this : useDefault(fallback);
  }

  /** One that was refused is told already. */
  #missing(name: BuilderVariable): this {
    const variable = `${this.conventions.variablePrefix}${name}`;
    return this.problems.has(variable) ? this : this.settle(variable, [unsetIssue(variable, name)]);
  }

  #read(names: readonly BuilderVariable[] | undefined, env: Variables = processVariables()): BuilderValues {
    const { variablePrefix } = this.conventions;
    return readBuilderVariables(env, variablePrefix, names, (variable, issues) => this.settle(variable, issues));
  }
}
