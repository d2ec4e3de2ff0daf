import type { JSX } from 'preact';

const PATHS = {
  traces: 'M3 5h11M6 10h11M9 15h8',
  logs: 'M4 5h12M4 8.5h12M4 12h8M4 15.5h10',
  metrics: 'M3 16V4M3 16h14M6 12l3.5-4 3 2.5L17 5',
  services: 'M10 3v4M10 13v4M3 10h4M13 10h4M10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  errors: 'M10 3.5 17.5 16.5h-15zM10 8.5v3.6M10 14.3v.2',
  usage:
    'M10 3v14M13.5 6.2C12.8 5.4 11.5 5 10 5c-2 0-3.6.9-3.6 2.5 0 3.5 7.4 1.6 7.4 5.1 0 1.5-1.7 2.4-3.8 2.4-1.7 0-3-.5-3.8-1.4',
  tenants: 'M3 17V7l5-3v13M8 17V8.5l9-2.5v11M3 17h14M11.5 10.5h2M11.5 13.5h2M5.3 9.2h.4M5.3 12.2h.4',
  search: 'M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM12.8 12.8 17 17',
  chevron: 'M7.5 5l5 5-5 5',
  down: 'M5 8l5 5 5-5',
  close: 'M5 5l10 10M15 5 5 15',
  copy: 'M7 7V4h9v9h-3M4 7h9v9H4z',
  check: 'M4 10.5 8.2 14.5 16 6',
  pause: 'M7 5v10M13 5v10',
  play: 'M7 4.5v11l8-5.5z',
  sun: 'M10 7a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM10 2.5v1.8M10 15.7v1.8M2.5 10h1.8M15.7 10h1.8M4.7 4.7 6 6M14 14l1.3 1.3M15.3 4.7 14 6M6 14l-1.3 1.3',
  moon: 'M16 11.6A6.5 6.5 0 0 1 8.4 4 6.5 6.5 0 1 0 16 11.6z',
  system: 'M3 4h14v9H3zM7 16.5h6M10 13v3.5',
  help: 'M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M10 14.3v.2',
  upload: 'M10 13V4M6.5 7.5 10 4l3.5 3.5M4 16h12',
  download: 'M10 4v9M6.5 9.5 10 13l3.5-3.5M4 16h12',
  clock: 'M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 6.5V10l2.5 1.8',
  link: 'M8.5 11.5l3-3M7 9 5 11a2.8 2.8 0 0 0 4 4l2-2M13 11l2-2a2.8 2.8 0 0 0-4-4L9 7',
  filter: 'M3.5 5h13l-5 6v4.5l-3-1.5v-3z',
  path: 'M4 15V9h5V5h7M13 2l3 3-3 3',
  bell: 'M5.5 14V9.5a4.5 4.5 0 0 1 9 0V14l1.2 1H4.300zM8.500 17h3',
} as const;

export type IconName = keyof typeof PATHS;

/** Always beside, or instead of, words that assistive technology reads elsewhere. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }): JSX.Element {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
