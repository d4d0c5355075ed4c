import { z } from "zod";
import type { WriteError } from "../batch.ts";

/** What HubSpot says about values and records that it does not take, in a whole call or in a part of a batch. */
export interface Refusal {
  category: string;
  message: string;
  errors: z.infer<typeof errorDetails>;
}

export const errorDetails = z.array(
  z.looseObject({
    message: z.string().optional(),
    code: z.string().optional(),
    context: z.record(z.string(), z.array(z.string())).optional(),
  }),
);

interface Fault {
  name: string;
  error: string;
  message: string;
}

type Say = (name: string, said: string) => string;

const FAULTS: Record<string, Say> = {
  PROPERTY_DOESNT_EXIST: (name) =>
    `HubSpot does not have the property “${name}” that is mapped. Correct the field mapping and try again.`,
  READ_ONLY_VALUE: (name) =>
    `HubSpot lets nobody change the property “${name}”. Map it for reading only, or remove the mapping.`,
  INVALID_OPTION: (name) =>
    `HubSpot does not offer this choice for the property “${name}”. Choose another value, or add it in HubSpot.`,
  INVALID_EMAIL: () => "HubSpot does not accept the e-mail address. Correct it and try again.",
  INVALID_DATE: (name) => `HubSpot does not accept the date for the property “${name}”. Correct it and try again.`,
  INVALID_INTEGER: (name) => `HubSpot wants a number for the property “${name}”. Correct it and try again.`,
  INVALID_LENGTH: (name) => `The text is too long for the property “${name}” in HubSpot. Shorten it and try again.`,
  CONFLICTING_UNIQUE_VALUE: (name) =>
    `Another record in HubSpot has the value of “${name}” already, which only one may have. Correct one of the two.`,
};

const CATEGORIES: Record<string, string> = {
  OBJECT_NOT_FOUND:
    "HubSpot does not find the record, or one that it is linked to. It may have been deleted there; choose another one and try again.",
  CONFLICT: "There is such a record in HubSpot already. Merge or correct one of the two and try again.",
  OBJECT_ALREADY_EXISTS: "There is such a record in HubSpot already. Merge or correct one of the two and try again.",
};

const PASSING = /^(RATE_LIMITS?|INTERNAL_ERROR|SERVICE_UNAVAILABLE|TIMEOUT|LOCKED)$/;

export function readRefusal({ category, message, errors }: Refusal): WriteError {
  const [fault] = faultsOf(message, errors);
  if (fault !== undefined) {
    const say = FAULTS[fault.error];
    const userMessage = say?.(fault.name, fault.message) ?? `HubSpot refused “${fault.name}”: ${short(fault.message)}`;
    return { kind: "rejected", code: fault.error, userMessage, field: fault.name };
  }
  if (PASSING.test(category)) {
    const userMessage = "HubSpot could not take the record just now. Nothing is lost; try again in a few minutes.";
    return { kind: "transient", code: category, userMessage };
  }
  const userMessage = CATEGORIES[category] ?? `HubSpot refused the request: ${short(message)}.`;
  return { kind: "rejected", code: category, userMessage };
}

/** "Contact already exists. Existing ID: 123"; of a unique property "… 123 already has that value" and the like. */
export function existingIdIn(message: string): string | null {
  const found = /Existing ID:\s*(\d+)|already held by (\d+)|(\d+) already has that value/i.exec(message);
  return found?.[1] ?? found?.[2] ?? found?.[3] ?? null;
}

/** Listed with the answer, or packed as JSON into its message. */
function faultsOf(message: string, errors: Refusal["errors"]): Fault[] {
  const listed = errors.flatMap(({ code, context, message: said = "" }) => {
    const name = context?.propertyName?.[0];
    return code !== undefined && name !== undefined ? [{ name, error: code, message: said }] : [];
  });
  return listed.length > 0 ? listed : packedFaults(message);
}

const packed = z.array(z.looseObject({ name: z.string(), error: z.string(), message: z.string().default("") }));

function packedFaults(message: string): Fault[] {
  const json = /Property values were not valid:\s*(\[[\s\S]*\])/.exec(message)?.[1];
  if (json === undefined) return [];
  try {
    return packed.safeParse(JSON.parse(json)).data ?? [];
  } catch {
    return []; // cut off or not JSON: the message as a whole has to do
  }
}

export function short(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
