import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { packageFolder } from '../../infra/package-folder.ts';
import { send } from './answer.ts';

/** One file of the page as it is sent. */
interface PageFile {
  readonly contentType: string;
  readonly cacheControl: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
}

/** Addresses of the page's views: each shows the same document, which looks at its own address. */
const VIEW_PATH = /^\/(?:t\/[\da-fA-F]{32}|logs|metrics|services|errors|usage|tenants)?$/;
const DOCUMENT = '/index.html';
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
/** Their names have a hash of what is in them. */
const ASSET_CACHE = 'public, max-age=31536000, immutable';
const NOT_BUILT = 'The page is not built. Run `npm run build`; the API below /api/v1 works without it.\n';

/**
 * The files of the page, all read when it is made: what a request asks for is looked up in a table, and no part of it
 * reaches the file system. They hold no telemetry and are sent without a token, so that the page can ask for one.
 */
export class PageFiles {
  readonly #files: ReadonlyMap<string, PageFile>;

  constructor(directory: string = builtPage()) {
    this.#files = readFiles(directory);
  }

  /** Answers when the path is one of the page; false when it is somebody else's. */
  handle(request: IncomingMessage, response: ServerResponse, pathname: string): boolean {
    const isView = VIEW_PATH.test(pathname);
    const file = this.#files.get(isView ? DOCUMENT : pathname);
    if (file === undefined) {
      if (isView) send(response, 404, 'text/plain; charset=utf-8', Buffer.from(NOT_BUILT));
      return isView;
    }
    const { contentType, cacheControl, etag, plain, gzip } = file;
    const headers = { 'cache-control': cacheControl, etag, vary: 'accept-encoding' };
    if (request.headers['if-none-match'] === etag) send(response, 304, contentType, Buffer.alloc(0), headers);
    else if (/\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
      send(response, 200, contentType, gzip, { ...headers, 'content-encoding': 'gzip' });
    } else send(response, 200, contentType, plain, headers);
    return true;
  }
}

/** What `npm run build` left in the package or in a checkout of it. */
function builtPage(): string {
  return path.join(packageFolder(), 'dist/dashboard/page');
}

function readFiles(directory: string): Map<string, PageFile> {
  const files = new Map<string, PageFile>();
  for (const name of listFiles(directory)) {
    const contentType = CONTENT_TYPES[path.extname(name)];
    if (contentType === undefined) continue;
    const plain = readFileSync(path.join(directory, name));
    const address = `/${name.replaceAll('\\', '/')}`;
    files.set(address, {
      contentType,
      cacheControl: address === DOCUMENT ? 'no-cache' : ASSET_CACHE,
      etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
      plain,
      gzip: gzipSync(plain),
    });
  }
  return files;
}

/** None when the page was not built. */
function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' });
  } catch {
    return [];
  }
}
