import type { Property } from "@hubspot/api-client/lib/codegen/crm/properties/models/Property.js";
import type { CrmField, EntityType, MappingDataType } from "../contract.ts";
import { malformed } from "../errors.ts";
import { call, type HubSpotClient } from "./client.ts";
import { CRM } from "./errors.ts";
import { OBJECTS } from "./objects.ts";

const TYPES: Record<string, MappingDataType> = {
  string: "string",
  number: "number",
  date: "date",
  datetime: "datetime",
  enumeration: "picklist",
  bool: "boolean",
  phone_number: "phone",
  object_coordinates: "string",
  json: "string",
};

/** How a value is entered tells more than its type. */
const BY_FIELD_TYPE: Record<string, MappingDataType> = {
  booleancheckbox: "boolean",
  checkbox: "array",
  phonenumber: "phone",
};

/** Plain text properties that HubSpot itself treats as more. */
const BY_NAME: Record<string, MappingDataType> = { email: "email", website: "url" };

export async function describeEntity(client: HubSpotClient, entity: EntityType): Promise<CrmField[]> {
  const answer = await call(() => client.properties.getAll(OBJECTS[entity].name));
  if (!Array.isArray(answer.results)) throw malformed(CRM, "a list of properties without results");
  return answer.results.filter((property) => !property.archived).map((property) => toField(property, entity));
}

function toField(property: Property, entity: EntityType): CrmField {
  const options = (property.options ?? [])
    .filter((option) => !option.hidden)
    .map(({ value, label }) => ({ value, label }));
  return {
    name: property.name,
    label: property.label,
    type: BY_NAME[property.name] ?? BY_FIELD_TYPE[property.fieldType] ?? TYPES[property.type] ?? "string",
    crmType: property.type,
    required: OBJECTS[entity].required.includes(property.name),
    readOnly: property.calculated === true || property.modificationMetadata?.readOnlyValue === true,
    custom: property.hubspotDefined !== true,
    ...(options.length > 0 ? { options, restricted: property.type === "enumeration" } : {}),
  };
}
