import type { BuilderVariable } from './builder-variables.ts';
import type { CredentialRules } from './credentials.ts';

/** What tells one collector, agent or process of an operator from another. */
export interface Identity {
  /** Tells it apart from all others. */
  readonly id?: string | undefined;
  /** For people. */
  readonly name?: string | undefined;
  /** For people. */
  readonly description?: string | undefined;
  /** The host that it runs on. */
  readonly hostname?: string | undefined;
  /** Where that stands. */
  readonly datacenter?: string | undefined;
  /** Anything else, by name. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/** One of the texts of an identity. */
export type IdentityPart = Exclude<keyof Identity, 'tags'>;

/** What a receiver's users expect of a builder: its variables, its keys, and how it is told who sends. */
export interface BuilderConventions {
  /** What the names of all variables begin with. */
  readonly variablePrefix: string;
  /**
   * What a variable that is not set stands for where a step asks for it by name; an empty text: for nothing, which is no
   * problem. Default: each that a step asks for has to be set.
   */
  readonly variableDefaults?: Readonly<Partial<Record<BuilderVariable, string>>> | undefined;
  /** How `withApiKey` checks keys and what carries them. */
  readonly credentials: CredentialRules;
  /** The resource attribute of each part; tags have the prefix and their own name. */
  readonly attributes: Readonly<Record<IdentityPart, string>> & { readonly tagPrefix: string };
  /** The header of each part that has one, and of the environment. */
  readonly headers: Readonly<Partial<Record<IdentityPart | 'environment', string>>>;
}

/** What builders follow unless they are given other conventions. */
export const BUILDER_CONVENTIONS: BuilderConventions = Object.freeze({
  variablePrefix: 'ISOTRACE_',
  credentials: Object.freeze({}),
  attributes: Object.freeze({
    id: 'collector.id',
    name: 'collector.name',
    description: 'collector.description',
    // The one part that has a name in OpenTelemetry's semantic conventions.
    hostname: 'host.name',
    datacenter: 'collector.datacenter',
    tagPrefix: 'collector.tag.',
  }),
  headers: Object.freeze({}),
});
