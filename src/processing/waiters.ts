/** Those who wait until something holds; asked again whenever things may have changed. */
export class Waiters {
  #checks: Set<() => void> | undefined;

  /** Resolves when `done` holds, now or at a later `check`. Never rejects. */
  until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!done()) return;
        this.#checks?.delete(check);
        resolve();
      };
      this.#checks ??= new Set();
      this.#checks.add(check);
      check();
    });
  }

  check(): void {
    if (this.#checks === undefined) return;
    for (const check of [...this.#checks]) check();
    if (this.#checks.size === 0) this.#checks = undefined;
  }
}
