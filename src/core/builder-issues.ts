import type { ConfigIssue } from '../utils/errors.ts';
import { isOptionsObject } from '../utils/option-reader.ts';
import { describeKind } from '../utils/secret.ts';

/** What is wrong with the steps of a builder so far, by the step or the variable that it comes from. Never changed. */
export class BuilderIssues {
  readonly #issues: ReadonlyMap<string, readonly ConfigIssue[]>;

  constructor(issues: ReadonlyMap<string, readonly ConfigIssue[]> = new Map()) {
    this.#issues = issues;
  }

  of(source: string): readonly ConfigIssue[] {
    return this.#issues.get(source) ?? [];
  }

  has(source: string): boolean {
    return this.of(source).length > 0;
  }

  /** With these in place of what was wrong with an earlier call of the same step. */
  with(source: string, issues: readonly ConfigIssue[]): BuilderIssues {
    return new BuilderIssues(new Map([...this.#issues, [source, issues]]));
  }

  list(): readonly ConfigIssue[] {
    return [...this.#issues.values()].flat();
  }
}

/** A copy of what a step was given, nothing for `undefined`; or why there is none. Never throws. */
export function copyGiven<T extends object>(
  step: string,
  given: T | undefined,
): { readonly copy: Partial<T>; readonly issues: readonly ConfigIssue[] } {
  const refused = (received: string) => ({ copy: {}, issues: [{ option: step, accepted: 'an object', received }] });
  if (given === undefined) return { copy: {}, issues: [] };
  try {
    return isOptionsObject(given) ? { copy: { ...given }, issues: [] } : refused(describeKind(given));
  } catch {
    return refused('a value that throws when it is read');
  }
}
