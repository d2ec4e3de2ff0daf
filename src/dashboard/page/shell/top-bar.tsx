import type { JSX } from 'preact';
import type { StoreStats } from '../../store/store-figures.ts';
import { formatCompact, formatCount } from '../model/format.ts';
import { Badge } from '../parts/badge.tsx';
import { Icon } from '../parts/icon.tsx';
import { Sparkline } from '../parts/sparkline.tsx';
import { hrefTo } from '../state/address.ts';
import { apiPath } from '../state/api.ts';
import { helpOpen } from '../state/keys.ts';
import { liveState, paused, rates, skipped, togglePause, waiting } from '../state/live.ts';
import { chooseLast, isRolling, lastOf, tenantValues } from '../state/scope.ts';
import { nextTheme, theme } from '../state/theme.ts';
import { useQuestion } from '../state/use-question.ts';
import { ImportButton } from './import-files.tsx';
import { TenantSwitch } from './tenant-switch.tsx';
import { TimeSwitch } from './time-switch.tsx';

export function TopBar(): JSX.Element {
  const look = theme.value;
  return (
    <header class="top">
      <a class="brand" href={hrefTo('/')} aria-label="isotrace">
        <i aria-hidden="true">
          <i />
          <i />
          <i />
        </i>
        <span>isotrace</span>
      </a>
      <TenantSwitch />
      <Honesty />
      <span class="spring" />
      <LiveSwitch />
      <TimeSwitch />
      <ImportButton />
      <button
        type="button"
        class="icon-button"
        aria-label={`Colours: ${look}. Change them`}
        title={`Colours: ${look} (c)`}
        onClick={nextTheme}
      >
        <Icon name={look === 'dark' ? 'moon' : look === 'light' ? 'sun' : 'system'} size={18} />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={() => {
          helpOpen.value = true;
        }}
      >
        <Icon name="help" size={18} />
      </button>
    </header>
  );
}

/** Pauses what is shown, and shows how much comes in. */
function LiveSwitch(): JSX.Element {
  const state = liveState.value;
  const seconds = rates.value.slice(-5);
  const rate = seconds.reduce((sum, count) => sum + count, 0) / Math.max(seconds.length, 1);
  if (!isRolling()) {
    return (
      <button
        type="button"
        class="live"
        title="This time does not roll: nothing new belongs to it"
        onClick={() => chooseLast(lastOf())}
      >
        <i class="dot" />
        Go live
      </button>
    );
  }
  const words = paused.value
    ? 'Paused'
    : state === 'live'
      ? 'Live'
      : state === 'broken'
        ? 'Reconnecting'
        : 'Connecting';
  return (
    <button
      type="button"
      class={`live ${paused.value ? 'paused' : state}`}
      aria-pressed={paused.value}
      aria-label={paused.value ? 'Paused. Go on' : `${words}. Pause`}
      title={`${paused.value ? 'Go on' : 'Pause'} (p)`}
      onClick={togglePause}
    >
      {paused.value ? <Icon name="play" size={14} /> : <i class="dot" />}
      {words}
      {paused.value && waiting.value > 0 ? (
        <b>{formatCompact(waiting.value)} new</b>
      ) : (
        <>
          <Sparkline values={rates.value} width={54} height={16} />
          <small title="Spans, log records and points a second, over five seconds">
            {formatCompact(Math.round(rate))}/s
          </small>
        </>
      )}
    </button>
  );
}

/** What is missing from all that is shown. */
function Honesty(): JSX.Element {
  const { value } = useQuestion<StoreStats>(apiPath('stats', tenantValues()), { follow: true });
  const evicted = value === undefined ? 0 : value.evicted.traces + value.evicted.logs + value.evicted.metrics;
  return (
    <span class="honesty">
      {value?.full && (
        <Badge
          tone="warn"
          title={`Old telemetry makes room for new: ${formatCount(evicted)} spans, log records and points are gone`}
        >
          store full · {formatCompact(evicted)} evicted
        </Badge>
      )}
      {(value?.rejected ?? 0) > 0 && (
        <Badge tone="error" title="What came in and could not be used: ids that are none, tenants that may not send">
          {formatCompact(value?.rejected ?? 0)} rejected
        </Badge>
      )}
      {skipped.value > 0 && (
        <Badge tone="warn" title="More came in at once than is shown live; a reload shows it">
          {formatCompact(skipped.value)} not shown live
        </Badge>
      )}
      {value?.notices.map((notice) => (
        <Badge key={notice} tone="quiet" title={notice}>
          notice
        </Badge>
      ))}
    </span>
  );
}
