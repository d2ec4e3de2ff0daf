import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../utils/clock.ts';
import { VERSION } from '../../utils/version.ts';
import type { Objectives } from '../objectives/objectives.ts';
import { StoreError } from '../store/store-error.ts';
import type { TelemetryStore } from '../store/telemetry-store.ts';
import { type Access, type AccessControl, SESSION_COOKIE, tokenOf } from './access.ts';
import { type Problem, send, sendJson, sendProblem } from './answer.ts';
import type { ApiContext, ApiRoute } from './api-route.ts';
import { API_ROUTES } from './api-routes.ts';
import type { AttachedRegistries } from './attached-registries.ts';
import type { LiveFeed } from './live-feed.ts';
import { LIVE_ROUTE, serveLive } from './live-route.ts';
import { describeApi } from './openapi.ts';
import { OTLP_PATHS, type OtlpReceiver } from './otlp-receiver.ts';
import type { PageFiles } from './page-files.ts';
import type { RequestGuard } from './request-guard.ts';
import type { ViewList } from './view-list.ts';

export interface RouterParts {
  readonly guard: RequestGuard;
  readonly accessControl: AccessControl;
  readonly receiver: OtlpReceiver;
  readonly feed: LiveFeed;
  readonly page: PageFiles;
  readonly store: TelemetryStore;
  readonly views: ViewList;
  readonly registries: AttachedRegistries;
  readonly objectives: Objectives;
  readonly clock: Clock;
}

const API_PREFIX = '/api/v1/';
const MAX_URL = 16_384;
const routes = new Map(API_ROUTES.map((route) => [route.path, route]));

/** Finds who answers a request. Never throws and never rejects, whatever the request is. */
export class RequestRouter {
  readonly #parts: RouterParts;

  constructor(parts: RouterParts) {
    this.#parts = parts;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response);
    } catch (error) {
      sendProblem(response, problemOf(error));
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { guard, accessControl, receiver, page } = this.#parts;
    const refused = guard(request);
    if (refused !== undefined) return sendProblem(response, { status: 403, message: refused, headers: CLOSE });
    const url = parseUrl(request.url ?? '');
    if (url === undefined)
      return sendProblem(response, { status: 400, message: 'the URL is malformed', headers: CLOSE });
    if (request.method === 'GET' && page.handle(request, response, url.pathname)) return undefined;
    const access = accessControl.accessOf(request.headers);
    if (access === undefined) {
      const headers = { ...CLOSE, 'www-authenticate': 'Bearer' };
      return sendProblem(response, { status: 401, message: 'a token is needed', headers });
    }
    const signal = OTLP_PATHS.get(url.pathname);
    if (signal !== undefined) {
      if (request.method !== 'POST') return refuseMethod(response, 'POST');
      return await receiver.handle(request, response, signal, access);
    }
    if (url.pathname === `${API_PREFIX}session`) return startSession(request, response);
    if (!url.pathname.startsWith(API_PREFIX)) return sendProblem(response, NOT_FOUND);
    if (request.method !== 'GET') return refuseMethod(response, 'GET');
    await this.#ask(request, response, url, access);
  }

  async #ask(request: IncomingMessage, response: ServerResponse, url: URL, access: Access): Promise<void> {
    const { store, views, clock, feed, registries, objectives } = this.#parts;
    const path = url.pathname.slice(API_PREFIX.length);
    const context: ApiContext = { store, views, registries, objectives, access, now: clock.now() };
    if (path === 'openapi.json') return sendJson(response, 200, describeApi([...API_ROUTES, LIVE_ROUTE], VERSION));
    if (path === LIVE_ROUTE.path) return await serveLive(request, response, url.searchParams, context, feed);
    const route = findRoute(path, url.searchParams);
    if (route === undefined) return sendProblem(response, NOT_FOUND);
    // What ended before the question belongs into the answer; a store elsewhere is not waited for.
    if (!store.shared) await registries.flush();
    const result = await route.ask(context, url.searchParams);
    if ('problem' in result) sendProblem(response, result.problem);
    else sendJson(response, 200, result.value);
  }
}

/** What a store says of itself may be passed on; all else may hold what is nobody's business. */
function problemOf(error: unknown): Problem {
  if (!(error instanceof StoreError)) {
    return { status: 500, message: 'the dashboard failed to answer', headers: CLOSE };
  }
  const { message, retryable } = error;
  return { status: retryable ? 503 : 502, message, headers: retryable ? RETRY : {} };
}

const RETRY = { 'retry-after': '1' };
const CLOSE = { connection: 'close' };
const NOT_FOUND = { status: 404, message: 'there is nothing here' };

/** The route of a path; a part that is a parameter joins the others. */
function findRoute(path: string, given: URLSearchParams): ApiRoute | undefined {
  const traceId = /^traces\/([^/]+)$/.exec(path)?.[1];
  if (traceId === undefined) return routes.get(path);
  given.set('traceId', traceId);
  return routes.get('traces/{traceId}');
}

function parseUrl(url: string): URL | undefined {
  return url.startsWith('/') && url.length <= MAX_URL && URL.canParse(`http://localhost${url}`)
    ? new URL(`http://localhost${url}`)
    : undefined;
}

/** Gives a page the token that it sent as a cookie, because `EventSource` sends no headers. */
function startSession(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'POST') {
    refuseMethod(response, 'POST');
    return;
  }
  const token = tokenOf(request.headers);
  const cookie = `${SESSION_COOKIE}=${encodeURIComponent(token ?? '')}; HttpOnly; SameSite=Strict; Path=/`;
  send(response, 204, 'application/json', Buffer.alloc(0), token === undefined ? {} : { 'set-cookie': cookie });
}

function refuseMethod(response: ServerResponse, allow: string): void {
  sendProblem(response, { status: 405, message: `only ${allow} is possible here`, headers: { ...CLOSE, allow } });
}
