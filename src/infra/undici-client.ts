import type { Client } from 'undici';

type ClientClass = typeof Client;

/**
 * undici's `Client`, loaded when the first request needs it: that is nearly half of what importing isotrace would take
 * (measured by `npm run bench -- import`).
 */
class UndiciClient {
  #class: ClientClass | undefined;
  #loading: Promise<ClientClass> | undefined;

  /** At once when it is loaded. A failure to load it is not remembered. */
  get(): ClientClass | Promise<ClientClass> {
    if (this.#class !== undefined) return this.#class;
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<ClientClass> {
    try {
      const { Client } = await import('undici');
      this.#class = Client;
      return Client;
    } finally {
      this.#loading = undefined;
    }
  }
}

/** The process's: a module is loaded once. */
export const undiciClient = new UndiciClient();
