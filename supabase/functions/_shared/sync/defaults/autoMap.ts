import type { CrmField, EntityType, MappingDataType } from "../../crm/contract.ts";
import { APP_FIELDS, type AppField, type AppFieldKind } from "../appFields.ts";
import { likeness, words } from "./similarity.ts";
import { stageByWord } from "./stages.ts";

export interface Guess {
  app: string;
  confidence: number;
  reason: string;
}

/** How far a name, and a label, can be trusted. */
const NAME = 0.9;
const LABEL = 0.8;
const BOTH = 0.95;
/** Names that are less alike than this have a word in common at most. */
const ALIKE = 0.75;
/** A value that does not fit keeps its whole record out, so a person has to look at such a pair first. */
const SOME_OPTIONS = 0.6;
const LOOSE_TYPE = 0.95;

type Fit = Partial<Record<MappingDataType, number>>;

/** Which CRM types a column can take without a person looking at it first, and how well. */
const FITS: Partial<Record<AppFieldKind, Fit>> = {
  text: { string: 1, picklist: 1, phone: LOOSE_TYPE, email: LOOSE_TYPE, url: LOOSE_TYPE },
  integer: { number: 1 },
  decimal: { number: 1 },
  date: { date: 1, datetime: LOOSE_TYPE },
  email: { email: 1, string: LOOSE_TYPE },
  phone: { phone: 1, string: LOOSE_TYPE },
  url: { url: 1, string: LOOSE_TYPE },
  currency: { picklist: 1, string: LOOSE_TYPE },
  choice: { picklist: 1 },
  stage: { picklist: 1 },
  list: { array: 1 },
};

/** What people call a column beside its own name. */
const ALSO_CALLED: Readonly<Record<string, readonly string[]>> = {
  employee_count: ["employees", "number of employees"],
  founded_year: ["founded", "year founded"],
  estimated_value: ["amount", "deal value"],
  expected_close_date: ["close date"],
  first_name: ["given name"],
  last_name: ["surname", "family name"],
  lifecycle: ["lifecycle stage"],
  mobile: ["mobile phone", "cell phone"],
  phone: ["telephone", "phone number"],
  stage_key: ["stage", "sales stage", "deal stage"],
  title: ["job title", "position"],
  website: ["web site", "homepage"],
};

/** Every column that the field may be, however sure that is. */
export function guesses(entity: EntityType, field: CrmField): Guess[] {
  return Object.entries(APP_FIELDS[entity]).flatMap(([app, column]) => {
    const type = FITS[column.kind]?.[field.type];
    const named = namedLike(app, field);
    const options = optionsFit(column, field);
    if (type === undefined || named === null || options === null) return [];
    const confidence = Math.round(named.trust * type * options.trust * 100) / 100;
    return [{ app, confidence, reason: named.reason + options.reason }];
  });
}

interface Evidence {
  /** 0 to 1. */
  trust: number;
  reason: string;
}

function namedLike(app: string, { name, label }: CrmField): Evidence | null {
  const called = [app, ...(ALSO_CALLED[app] ?? [])].map(words);
  const byName = Math.max(...called.map((ours) => likeness(ours, words(name))));
  const byLabel = Math.max(...called.map((ours) => likeness(ours, words(label))));
  if (byName === 1 && byLabel === 1) return { trust: BOTH, reason: `Its name and its label say ${app}` };
  if (byName >= ALIKE && byName * NAME >= byLabel * LABEL) {
    return { trust: byName * NAME, reason: `Its name "${name}" ${byName === 1 ? "says" : "is close to"} ${app}` };
  }
  if (byLabel < ALIKE) return null;
  return { trust: byLabel * LABEL, reason: `Its label "${label}" ${byLabel === 1 ? "says" : "is close to"} ${app}` };
}

/** Where only certain values fit, those that the CRM offers have to be among them. */
function optionsFit(column: AppField, { options = [] }: CrmField): Evidence | null {
  const isOurs = KNOWN_OPTION[column.kind]?.(column);
  if (isOurs === undefined) return { trust: 1, reason: "" };
  const ours = options.filter(({ value, label }) => isOurs(value) || (column.kind === "stage" && isOurs(label))).length;
  if (ours === 0) return null;
  if (ours === options.length) return { trust: 1, reason: "; all its options are known here" };
  const share = ours / options.length;
  return { trust: share * SOME_OPTIONS, reason: `; only ${ours} of its ${options.length} options are known here` };
}

const KNOWN_OPTION: Partial<Record<AppFieldKind, (column: AppField) => (option: string) => boolean>> = {
  choice:
    ({ choices = [] }) =>
    (option) =>
      choices.includes(option.trim().toLowerCase()),
  stage: () => (option) => stageByWord(option) !== null,
};

/** The name of a custom field under custom_fields: `Engage_Date__c` becomes `engage_date`. */
export function customName(field: CrmField): string {
  return words(field.name).join("_").slice(0, 90) || "field";
}
