import { cleanText, excerpt, Misfit } from "../text.ts";

/** Why a value could not be transformed, as the end of a sentence that begins with the field's name. */
export class TransformFailure extends Misfit {
  constructor(why: string) {
    super("transform_failed", why);
  }
}

const WORDS = 160;

/** What an expression says when it fails may hold anything of the record, so only the beginning is shown. */
export function failed(words: string): TransformFailure {
  return new TransformFailure(`could not be transformed: the expression ${excerpt(cleanText(words), WORDS)}`);
}

export const invalid = (problem: string) => failed(`is not valid: ${problem}`);

export const CUT = {
  fuel: failed("needs too much work; an endless loop or a regular expression that tries too much is the usual reason"),
  stack: failed("calls itself too often"),
};
export const OVER_BUDGET = new TransformFailure(
  "was not transformed: the transforms before it used up what one pass may spend on them; simpler expressions are needed",
);
export const noSandbox = (problem: string) =>
  new TransformFailure(
    `was not transformed: the sandbox for transforms did not start here (${excerpt(cleanText(problem), WORDS)})`,
  );
