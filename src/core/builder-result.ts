import type { ConfigIssue } from '../utils/errors.ts';
import type { TracerOptions } from './options.ts';
import type { Tracer } from './tracer.ts';

/** A tracer, or what is wrong. */
export type BuildResult =
  | { readonly ok: true; readonly tracer: Tracer }
  /** Every problem of the steps, the variables and the options; secrets are masked. */
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };

/** Options, or what is wrong. */
export type OptionsResult =
  | { readonly ok: true; readonly options: TracerOptions }
  /** Every problem of the steps, the variables and the options; secrets are masked. */
  | { readonly ok: false; readonly issues: readonly ConfigIssue[] };
