const HUES = 12;

/** A class that gives a service its colour, the same one everywhere and always. */
export function serviceClass(service: string): string {
  let hash = 2_166_136_261;
  for (let at = 0; at < service.length; at += 1) hash = Math.imul(hash ^ service.charCodeAt(at), 16_777_619);
  return `hue-${((hash ^ (hash >>> 13)) >>> 0) % HUES}`;
}
