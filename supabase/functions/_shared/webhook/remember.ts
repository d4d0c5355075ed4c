const SECRET_LIFE_MS = 60_000;

/** Keeps an answer for a minute, so that a flood of messages does not become a flood of questions to the database. */
export function remembered<T>(ask: () => Promise<T>, now: () => Date): () => Promise<T> {
  let known: { value: Promise<T>; until: number } | null = null;
  return () => {
    const at = now().getTime();
    if (known !== null && known.until > at) return known.value;
    const value = ask();
    known = { value, until: at + SECRET_LIFE_MS };
    value.catch(() => {
      known = null;
    });
    return value;
  };
}
