/** Something that may happen again and again; several can wait for the next time. */
export class Signal {
  #next: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  /** Resolves the next time that it is raised. */
  wait(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      this.#wake = resolve;
    });
    return this.#next;
  }

  /** Wakes those who wait now. */
  raise(): void {
    const wake = this.#wake;
    this.#next = undefined;
    this.#wake = undefined;
    wake?.();
  }
}
