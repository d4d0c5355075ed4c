/** What `look` finds, as soon as it finds something. */
export async function eventually<T>(what: string, look: () => Promise<T | null | undefined>, ms = 90_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined) return found;
    if (Date.now() > end) throw new Error(`Waited ${ms / 1000} seconds in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
