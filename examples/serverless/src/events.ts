/** An event of an HTTP API behind a JWT authorizer (payload format 2.0), as far as it is used here. */
export interface HttpEvent {
  readonly routeKey: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pathParameters: Readonly<Record<string, string>>;
  /** What the gateway has verified. */
  readonly requestContext: { readonly authorizer: { readonly jwt: { readonly claims: { readonly tenant: string } } } };
}

export interface HttpResult {
  readonly statusCode: number;
  readonly body: string;
}

export type Handler = (event: HttpEvent) => Promise<HttpResult>;
