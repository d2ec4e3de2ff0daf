/** Those who wait until something holds; asked again whenever things may have changed. */
export class Waiters {
  readonly #checks = new Set<() => void>();

  /** Resolves when `done` holds, now or at a later `check`. Never rejects. */
  until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!done()) return;
        this.#checks.delete(check);
        resolve();
      };
      this.#checks.add(check);
      check();
    });
  }

  check(): void {
    for (const check of [...this.#checks]) check();
  }
}
