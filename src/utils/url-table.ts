/** Addresses that are remembered. */
const MAX_URLS = 1_000;

/**
 * Parsed addresses: tenants often share one, and a `URL` takes more memory than its text. Nobody may change what comes
 * from here. Addresses that may hold credentials are not remembered.
 */
export class UrlTable {
  readonly #urls = new Map<string, URL>();

  /** @throws TypeError when the text is no URL */
  of(text: string): URL {
    const known = this.#urls.get(text);
    if (known !== undefined) return known;
    const url = new URL(text);
    if (url.username !== '' || url.password !== '' || url.search !== '') return url;
    if (this.#urls.size >= MAX_URLS) this.#urls.clear();
    this.#urls.set(url.href, url);
    return url;
  }
}
