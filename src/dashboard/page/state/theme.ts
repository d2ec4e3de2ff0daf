import { effect, signal } from '@preact/signals';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'isotrace.theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

export const theme = signal<Theme>(storedTheme());
/** What is in force; charts are drawn again when it changes. */
export const isDark = signal(dark.matches);

export function startTheme(): void {
  const systemIsDark = signal(dark.matches);
  dark.addEventListener('change', () => {
    systemIsDark.value = dark.matches;
  });
  effect(() => {
    const wanted = theme.value;
    isDark.value = wanted === 'system' ? systemIsDark.value : wanted === 'dark';
    document.documentElement.dataset['theme'] = isDark.value ? 'dark' : 'light';
    store(wanted);
  });
}

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system';
}

/** Browsers may refuse to store anything. */
function storedTheme(): Theme {
  try {
    return THEMES.find((name) => name === localStorage.getItem(KEY)) ?? 'system';
  } catch {
    return 'system';
  }
}

function store(wanted: Theme): void {
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // Then it lasts as long as the page.
  }
}
