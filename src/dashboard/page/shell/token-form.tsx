import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { startSession } from '../state/api.ts';

/** Shown where the dashboard wants a token. */
export function TokenForm(): JSX.Element {
  const [token, setToken] = useState('');
  const [refusal, setRefusal] = useState<string>();
  const send = async (): Promise<void> => setRefusal(await startSession(token.trim()));
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
            aria-invalid={refusal !== undefined}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {refusal !== undefined && (
          <p class="problem" role="alert">
            {refusal}
          </p>
        )}
        <button type="submit" class="button primary">
          Open the dashboard
        </button>
      </form>
    </main>
  );
}
