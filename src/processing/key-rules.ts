import { createKeyMatcher, isSecretKey } from '../utils/secret-keys.ts';

/** Keys whose verdicts are remembered: a service uses few, again and again. */
const MAX_REMEMBERED = 256;
const MAX_REMEMBERED_LENGTH = 128;

/** Calls something of the user's that may fail, and then answers `true`. */
export type GuardedTest = (test: () => boolean) => boolean;

/** Which keys are hidden: those that name a secret, and those that the user named. */
export class KeyRules {
  readonly #named: (key: string) => boolean;
  readonly #patterns: readonly RegExp[];
  readonly #guarded: GuardedTest;
  readonly #verdicts = new Map<string, boolean>();

  constructor(keys: readonly (string | RegExp)[], guarded: GuardedTest) {
    this.#named = createKeyMatcher(keys.filter((key) => typeof key === 'string'));
    this.#patterns = keys.filter((key) => typeof key !== 'string').map(ownCopy);
    this.#guarded = guarded;
  }

  hides(key: string): boolean {
    const known = this.#verdicts.get(key);
    if (known !== undefined) return known;
    if (isSecretKey(key) || this.#named(key)) return this.#remember(key, true);
    if (this.#patterns.length === 0) return this.#remember(key, false);
    return this.#askPatterns(key);
  }

  /** The verdict of a pattern that failed is not remembered: the next time it may not fail. */
  #askPatterns(key: string): boolean {
    let verdict: boolean | undefined;
    const hidden = this.#guarded(() => {
      verdict = this.#patterns.some((pattern) => {
        // Of a pattern with the flag "g" or "y" each test would begin where the last one ended.
        pattern.lastIndex = 0;
        return pattern.test(key);
      });
      return verdict;
    });
    return verdict === undefined ? hidden : this.#remember(key, hidden);
  }

  #remember(key: string, verdict: boolean): boolean {
    if (key.length > MAX_REMEMBERED_LENGTH) return verdict;
    if (this.#verdicts.size >= MAX_REMEMBERED) this.#verdicts.clear();
    this.#verdicts.set(key, verdict);
    return verdict;
  }
}

/** In any case; a pattern with a `test` of its own, such as that of another engine, is used as it is. */
function ownCopy(pattern: RegExp): RegExp {
  if (pattern.test !== RegExp.prototype.test || pattern.exec !== RegExp.prototype.exec) return pattern;
  return new RegExp(pattern.source, `${pattern.flags.replace(/[giy]/g, '')}i`);
}
