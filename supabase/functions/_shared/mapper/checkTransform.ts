import { Misfit } from "../sync/mapping/text.ts";
import { checkTransform, openTransforms } from "../sync/mapping/transform/index.ts";
import type { CheckTransformInput } from "./schemas.ts";

/** Whether an expression can be used, and what it makes of a sample. Touches no record, so anybody signed in may ask. */
export async function tryTransform({ expression, sample }: CheckTransformInput) {
  const checked = await checkTransform(expression);
  if (!checked.ok) return { ok: false, message: checked.message };
  if (sample === undefined) return { ok: true };
  const row = { transform_function: expression };
  const transforms = await openTransforms([row]);
  try {
    const result = transforms.apply(row, sample.value, sample.record);
    return result instanceof Misfit ? { ok: false, message: `The value ${result.why}.` } : { ok: true, result };
  } finally {
    transforms.close();
  }
}
