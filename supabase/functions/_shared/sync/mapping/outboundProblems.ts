import type { OutboundRejection } from "./outbound.ts";
import type { Misfit } from "./text.ts";

/** A field that cannot take what we have. */
export interface Problem {
  code: string;
  /** A clause: what does not fit where. */
  text: string;
  /** The CRM's. */
  field: string;
}

export function misfit(field: string, { code, why }: Misfit): Problem {
  return { code, text: `${field} ${why}`, field };
}

export function readOnly(field: string): Problem {
  return { code: "read_only", text: "the user who connected can only read it there", field };
}

/** The record stays here. */
export function rejection(problems: readonly Problem[], crmName: string): OutboundRejection {
  const [first] = problems as [Problem];
  const what = problems.map(({ text }) => text).join("; ");
  return {
    code: first.code,
    message: `${crmName} did not get this record: ${what}. ${remedy(first.code)}.`,
    field: first.field,
  };
}

/** The record goes without this field. */
export function partly({ code, text, field }: Problem, crmName: string): OutboundRejection {
  return { code, message: `${crmName} got this record without ${field}: ${text}. ${remedy(code)}.`, field };
}

const REMEDIES: Readonly<Record<string, string>> = {
  unmapped_stage: "Add one to the connection's stage mapping, then retry the failed records",
  not_an_option:
    "Choose one of these here, add it to the CRM and retry the failed records, or change the field's mapping",
  read_only: "Map it for reading only (sync_direction pull), or open it in the CRM, then retry the failed records",
};

function remedy(code: string): string {
  return REMEDIES[code] ?? "Change it here, or its mapping, and it is sent again";
}
