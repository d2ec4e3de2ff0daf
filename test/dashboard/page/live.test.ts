import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

/** What the page takes from a browser, as far as its stream does. */
class FakeSource extends EventTarget {
  static readonly CLOSED = 2;
  static opened: FakeSource[] = [];
  readonly url: string;
  readyState = 0;

  constructor(url: string) {
    super();
    this.url = url;
    FakeSource.opened.push(this);
  }

  close(): void {
    this.readyState = FakeSource.CLOSED;
  }

  open(): void {
    this.dispatchEvent(new Event('open'));
  }

  update(arrived: readonly object[] = []): void {
    const data = JSON.stringify({ arrived, traces: [], logs: [], skipped: 0 });
    this.dispatchEvent(new MessageEvent('update', { data }));
  }
}

const browser = Object.assign(new EventTarget(), { hidden: false });
const place = { pathname: '/', search: '' };
const history = {
  replaceState(_state: unknown, _title: string, href: string): void {
    [place.pathname = '/', place.search = ''] = href.split(/(?=\?)/);
  },
};

describe('the stream of what comes in', () => {
  const page = async () => ({
    ...(await import('../../../src/dashboard/page/state/address.ts')),
    ...(await import('../../../src/dashboard/page/state/api.ts')),
    ...(await import('../../../src/dashboard/page/state/live.ts')),
  });
  let state: Awaited<ReturnType<typeof page>>;

  const current = (): FakeSource => FakeSource.opened.at(-1) as FakeSource;
  const hide = (hidden: boolean): void => {
    browser.hidden = hidden;
    browser.dispatchEvent(new Event('visibilitychange'));
  };

  beforeAll(async () => {
    vi.useFakeTimers();
    Object.assign(globalThis, { document: browser, location: place, history, EventSource: FakeSource });
    state = await page();
    state.startLive();
  });

  afterAll(() => {
    vi.clearAllTimers();
    vi.useRealTimers();
    for (const name of ['document', 'location', 'history', 'EventSource']) Reflect.deleteProperty(globalThis, name);
  });

  beforeEach(() => {
    if (state.paused.value) state.togglePause();
    state.setParams({ tenant: undefined, find: undefined, span: undefined }, { replace: true });
    vi.advanceTimersByTime(1_000);
  });

  it('goes on while the address changes in what is nothing to it, and is another one for another tenant', () => {
    const { length } = FakeSource.opened;
    for (const find of ['c', 'ca', 'car']) state.setParams({ find, span: find }, { replace: true });
    expect(FakeSource.opened).toHaveLength(length);
    const before = current();
    state.setParams({ tenant: 'acme' }, { replace: true });
    expect(before.readyState).toBe(FakeSource.CLOSED);
    expect(current().url).toContain('tenant=acme');
  });

  it('waits for the token where one is needed, and begins as soon as there is one', () => {
    const before = current();
    state.tokenNeeded.value = true;
    expect(before.readyState).toBe(FakeSource.CLOSED);
    vi.advanceTimersByTime(10_000);
    expect(current()).toBe(before);
    state.tokenNeeded.value = false;
    expect(current()).not.toBe(before);
  });

  it('has sums asked for once more when it begins: what came in before is not told', () => {
    hide(true);
    hide(false);
    const [gap, pulse] = [state.gap.value, state.pulse.value];
    current().open();
    current().update();
    expect(state.gap.value).toBe(gap + 1);
    vi.advanceTimersByTime(1_000);
    expect(state.pulse.value).toBe(pulse + 1);
  });

  it('has everything asked for once more when the dashboard was away, also if nothing has come in since', () => {
    current().open();
    current().update();
    vi.advanceTimersByTime(1_000);
    const [gap, pulse] = [state.gap.value, state.pulse.value];
    current().dispatchEvent(new Event('error'));
    expect(state.liveState.value).toBe('broken');
    current().open();
    vi.advanceTimersByTime(1_000);
    expect([state.gap.value, state.pulse.value]).toEqual([gap + 1, pulse + 1]);
  });

  it('has nothing asked for while it is paused, also when it begins anew, and everything once afterwards', () => {
    state.togglePause();
    const [gap, pulse] = [state.gap.value, state.pulse.value];
    hide(true);
    hide(false);
    current().open();
    current().update([{ tenant: 'acme', traces: 1, logs: 0, metrics: 0, errors: 0 }]);
    vi.advanceTimersByTime(3_000);
    expect([state.gap.value, state.pulse.value]).toEqual([gap, pulse]);
    state.togglePause();
    vi.advanceTimersByTime(3_000);
    expect([state.gap.value, state.pulse.value]).toEqual([gap + 1, pulse + 1]);
  });
});
