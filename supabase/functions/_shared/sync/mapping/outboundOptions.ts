import type { CrmField } from "../../crm/contract.ts";
import { excerpt, Misfit } from "./text.ts";

const OPTIONS_SHOWN = 300;

/** The option that a text means. A list that is not closed takes anything, so it gets the text as it is. */
export function optionFor(text: string, { options = [], restricted }: CrmField): string | Misfit {
  if (options.length === 0 || restricted !== true) return text;
  const exact = options.find((one) => one.value === text) ?? options.find((one) => one.label === text);
  if (exact !== undefined) return exact.value;
  const [only, ...more] = options.filter(({ value, label }) => alike(value, text) || alike(label, text));
  if (only !== undefined && more.length === 0) return only.value;
  const known = excerpt(options.map(({ value }) => value).join(", "), OPTIONS_SHOWN);
  return new Misfit("not_an_option", `does not offer "${excerpt(text)}"; it offers ${known}`);
}

/** Two CRMs write one choice as "Real estate", REAL_ESTATE and real-estate. */
function alike(left: string, right: string): boolean {
  return bare(left) === bare(right);
}

/** What nothing is left of, or what has digits, stays itself: "1-10" is not "110". */
function bare(text: string): string {
  const folded = text.normalize("NFKC").toLowerCase();
  const letters = folded.replace(/[\s\p{P}]/gu, "");
  return letters === "" || /\p{N}/u.test(folded) ? folded : letters;
}
