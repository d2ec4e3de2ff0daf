import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatCount } from '../model/format.ts';
import { importRequests } from '../model/otlp-file.ts';
import { Icon } from '../parts/icon.tsx';
import { setParams } from '../state/address.ts';
import { announce } from '../state/announce.ts';

/** Chooses files with OTLP; they may be dropped anywhere on the page too. */
export function ImportButton(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  useEffect(() => listenForDrops(setOver), []);
  return (
    <>
      <button
        type="button"
        class="icon-button"
        aria-label="Import OTLP files"
        title="Import OTLP files: JSON, JSON lines or protobuf"
        onClick={() => input.current?.click()}
      >
        <Icon name="upload" size={18} />
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="OTLP files"
        accept=".json,.jsonl,.ndjson,.pb,.bin,.otlp"
        onChange={(event) => {
          void takeFiles([...(event.currentTarget.files ?? [])]);
          // So that the same file can be chosen again.
          event.currentTarget.value = '';
        }}
      />
      {over && <div class="drop">Drop files with OTLP: JSON, JSON lines or protobuf</div>}
    </>
  );
}

async function takeFiles(files: readonly File[]): Promise<void> {
  const counts = { sent: 0, failed: '' };
  for (const file of files) {
    const bytes = await file.arrayBuffer().catch(() => undefined);
    if (bytes === undefined) {
      counts.failed ||= `${file.name} cannot be read`;
      continue;
    }
    const requests = importRequests(file.name, new Uint8Array(bytes));
    if (requests.length === 0) counts.failed ||= `${file.name} holds no OTLP`;
    for (const { signal, contentType, body } of requests) {
      const response = await fetch(`/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': contentType },
        body,
      }).catch(() => undefined);
      if (response?.ok) counts.sent += 1;
      else counts.failed ||= `${file.name}: ${await reasonOf(response)}`;
    }
  }
  const sent = `Imported ${formatCount(counts.sent)} ${counts.sent === 1 ? 'request' : 'requests'}`;
  announce(
    counts.failed === '' ? sent : counts.sent === 0 ? counts.failed : `${sent}, but not all of it: ${counts.failed}`,
  );
  // What a file holds is seldom of the last hour.
  if (counts.sent > 0) setParams({ last: undefined, from: '0', to: undefined });
}

async function reasonOf(response: Response | undefined): Promise<string> {
  if (response === undefined) return 'the dashboard does not answer';
  const body = (await response.json().catch(() => ({}))) as { readonly message?: string };
  return body.message ?? `refused with ${response.status}`;
}

function listenForDrops(setOver: (over: boolean) => void): () => void {
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    setOver(true);
  };
  const leave = (event: DragEvent): void => {
    if (event.relatedTarget === null) setOver(false);
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    void takeFiles([...(event.dataTransfer?.files ?? [])]);
  };
  document.addEventListener('dragover', over);
  document.addEventListener('dragleave', leave);
  document.addEventListener('drop', drop);
  return () => {
    document.removeEventListener('dragover', over);
    document.removeEventListener('dragleave', leave);
    document.removeEventListener('drop', drop);
  };
}
