import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { startSession } from '../state/api.ts';

/** Shown where the dashboard wants a token. */
export function TokenForm(): JSX.Element {
  const [token, setToken] = useState('');
  const [refused, setRefused] = useState(false);
  const send = async (): Promise<void> => setRefused(!(await startSession(token.trim())));
  return (
    <main class="token">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <h1>This dashboard needs a token</h1>
        <p>It shows the tenants that the token may see. The token is kept as a cookie that scripts cannot read.</p>
        <label>
          Token
          <input
            class="input"
            type="password"
            autocomplete="current-password"
            value={token}
            aria-invalid={refused}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {refused && (
          <p class="problem" role="alert">
            The dashboard does not know this token.
          </p>
        )}
        <button type="submit" class="button primary">
          Open the dashboard
        </button>
      </form>
    </main>
  );
}
