interface Answer<T> {
  data: T;
  error: { code?: string; message: string } | null;
}

/** What supabase-js was asked for; a refusal is a failure of the test. */
export function got<T>({ data, error }: Answer<T>): NonNullable<T> {
  if (error) throw new Error(`${error.code} ${error.message}`);
  if (data === null || data === undefined) throw new Error("There was no answer.");
  return data;
}

export const codeOf = ({ error }: Answer<unknown>) => error?.code ?? "allowed";
