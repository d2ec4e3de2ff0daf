import './styles/tokens.css';
import './styles/shell.css';
import './styles/parts.css';
import './styles/views.css';
import './styles/trace.css';
import { render } from 'preact';
import { App } from './shell/app.tsx';
import { address, followLinks } from './state/address.ts';
import { askEarly, startSession } from './state/api.ts';
import { listenForKeys } from './state/keys.ts';
import { startLive } from './state/live.ts';
import { startTheme } from './state/theme.ts';
import { traceOf, tracePath, traceTenant } from './state/trace-path.ts';

startTheme();
followLinks();
listenForKeys();
await takeToken();
askForTrace();
startLive();
const root = document.getElementById('page');
if (root !== null) render(<App />, root);

/** A trace takes longest to come: it is asked for before there is anything that could show it. */
function askForTrace(): void {
  const traceId = traceOf(address.value.path);
  if (traceId !== undefined) askEarly(tracePath(traceId, traceTenant()));
}

/** A link may bring the token behind `#`, which never reaches a server's log. It does not stay in the address. */
async function takeToken(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token === null) return;
  history.replaceState(null, '', location.pathname + location.search);
  await startSession(token);
}
