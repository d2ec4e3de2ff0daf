import { buildStalePage } from '../../scripts/build-page.ts';

/** The dashboard's tests look at the page as it is built. */
export async function setup(): Promise<void> {
  await buildStalePage();
}
