import { type Headers, sanitizeHeaders } from '../utils/headers.ts';
import { Secret } from '../utils/secret.ts';

/** By the resource specification one malformed member discards the whole variable. */
export function parseAttributes(text: string): Readonly<Record<string, string>> | undefined {
  const attributes: Record<string, string> = Object.create(null);
  for (const member of text.split(',')) {
    if (member.trim() === '') continue;
    const pair = parsePair(member);
    if (pair === undefined) return undefined;
    attributes[pair[0]] = pair[1];
  }
  return attributes;
}

/** A malformed header is left out; the others are still good. */
export function parseHeaders(text: string, report: (received: string) => void): Secret<Headers> {
  const raw: Record<string, string> = Object.create(null);
  for (const [index, member] of text.split(',').entries()) {
    if (member.trim() === '') continue;
    const pair = parsePair(member);
    if (pair === undefined) report(`a malformed entry (number ${index + 1})`);
    else raw[pair[0]] = pair[1];
  }
  const { headers, issues } = sanitizeHeaders(raw);
  for (const issue of issues) report(`${issue.option}: ${issue.received}`);
  return new Secret(headers);
}

function parsePair(member: string): [key: string, value: string] | undefined {
  const separator = member.indexOf('=');
  if (separator < 0) return undefined;
  try {
    const key = decodeURIComponent(member.slice(0, separator).trim());
    return key === '' ? undefined : [key, decodeURIComponent(member.slice(separator + 1).trim())];
  } catch {
    return undefined;
  }
}
