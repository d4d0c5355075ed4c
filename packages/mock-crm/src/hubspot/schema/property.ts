export type PropertyType = "string" | "number" | "date" | "datetime" | "enumeration" | "bool" | "phone_number";

export interface PropertyOption {
  label: string;
  value: string;
}

export interface PropertyDef {
  name: string;
  label: string;
  type: PropertyType;
  fieldType: string;
  groupName: string;
  description: string;
  options: readonly PropertyOption[];
  hasUniqueValue: boolean;
  hubspotDefined: boolean;
  calculated: boolean;
  readOnly: boolean;
  /** Options come from elsewhere (owners, pipelines), so the property lists none. */
  externalOptions: boolean;
  referencedObjectType: string | null;
  archived: boolean;
}

const FIELD_TYPES: Record<PropertyType, string> = {
  string: "text",
  number: "number",
  date: "date",
  datetime: "date",
  enumeration: "select",
  bool: "booleancheckbox",
  phone_number: "phonenumber",
};

export function property(
  name: string,
  label: string,
  type: PropertyType,
  more: Partial<PropertyDef> = {},
): PropertyDef {
  return {
    fieldType: FIELD_TYPES[type],
    groupName: "",
    description: "",
    options: type === "bool" ? options("true", "false") : [],
    hasUniqueValue: false,
    hubspotDefined: true,
    calculated: false,
    readOnly: false,
    externalOptions: false,
    referencedObjectType: null,
    archived: false,
    ...more,
    name,
    label,
    type,
  };
}

export function options(...values: readonly string[]): PropertyOption[] {
  return values.map((value) => ({ value, label: value }));
}

export const READ_ONLY: Partial<PropertyDef> = { readOnly: true, calculated: true };

export function owner(): PropertyDef {
  return property("hubspot_owner_id", "Owner", "enumeration", { externalOptions: true, referencedObjectType: "OWNER" });
}

export function lifecycle(): PropertyDef {
  const stages = ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"];
  return property("lifecyclestage", "Lifecycle Stage", "enumeration", {
    options: options(...stages, "evangelist", "other"),
  });
}

export function merged(): PropertyDef {
  return property("hs_merged_object_ids", "Merged object IDs", "enumeration", READ_ONLY);
}

export function describeProperty(definition: PropertyDef, at: string) {
  const { readOnly, options: choices, ...plain } = definition;
  return {
    ...plain,
    options: choices.map((option, order) => ({ ...option, displayOrder: order, hidden: false, description: "" })),
    displayOrder: -1,
    hidden: false,
    formField: !readOnly,
    createdAt: at,
    updatedAt: at,
    modificationMetadata: {
      archivable: !definition.hubspotDefined,
      readOnlyDefinition: definition.hubspotDefined,
      readOnlyOptions: definition.hubspotDefined,
      readOnlyValue: readOnly,
    },
  };
}
