import type { Meaning } from "./errors.ts";

const rejected = (say: Meaning["say"]): Meaning => ({ kind: "rejected", say });

/** What Salesforce says about a single record that it does not take; `said` is its own message. */
export const ROW_CODES: Record<string, Meaning> = {
  REQUIRED_FIELD_MISSING: rejected(
    (said) => `Salesforce needs more of this record (${said}). Fill the fields in, or map them, and try again.`,
  ),
  STRING_TOO_LONG: rejected(() => "A text is longer than its field in Salesforce allows. Shorten it and try again."),
  INVALID_EMAIL_ADDRESS: rejected(() => "Salesforce does not accept the e-mail address. Correct it and try again."),
  INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST: rejected(
    (said) => `Salesforce does not offer this choice (${said}). Choose another value, or add it in Salesforce.`,
  ),
  JSON_PARSER_ERROR: rejected(
    (said) => `A value does not fit the type of its field in Salesforce (${said}). Correct the value or the mapping.`,
  ),
  NUMBER_OUTSIDE_VALID_RANGE: rejected(
    () => "A number is larger or smaller than its field in Salesforce allows. Correct it and try again.",
  ),
  FIELD_CUSTOM_VALIDATION_EXCEPTION: rejected(
    (said) => `A validation rule in Salesforce refused the record: ${said} Correct the record and try again.`,
  ),
  INVALID_FIELD_FOR_INSERT_UPDATE: rejected(
    (said) =>
      `The connected Salesforce user may not write a field that is mapped (${said}). Ask a Salesforce administrator for access, or map the field for reading only.`,
  ),
  DUPLICATE_VALUE: rejected(
    (said) => `Another record in Salesforce has a value that only one may have (${said}). Correct one of the two.`,
  ),
  DUPLICATES_DETECTED: rejected(
    () =>
      "A duplicate rule in Salesforce refused the record because there is a similar one. Merge or correct one of the two and try again.",
  ),
  INVALID_CROSS_REFERENCE_KEY: rejected(
    (said) =>
      `Salesforce does not find what the record is linked to: a company, a contact or an owner (${said}). Choose another one and try again.`,
  ),
  ENTITY_IS_DELETED: rejected(
    () => "The record, or one that it is linked to, was deleted in Salesforce. Choose another one and try again.",
  ),
  CIRCULAR_DEPENDENCY: rejected(
    () => "The company would be a parent of itself in Salesforce. Choose another parent company and try again.",
  ),
  INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY: rejected(
    () =>
      "The connected Salesforce user may not use what the record is linked to. Ask a Salesforce administrator for access.",
  ),
  STORAGE_LIMIT_EXCEEDED: rejected(
    () => "The Salesforce org has no room left for new records. Ask a Salesforce administrator.",
  ),
};
