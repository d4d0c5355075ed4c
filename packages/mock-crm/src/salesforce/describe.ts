import type { FieldDef, FieldType } from "./schema/field.ts";
import type { ObjectDef } from "./schema/object.ts";
import type { OrgSchema } from "./schema/org-schema.ts";

const SOAP_TYPES: Partial<Record<FieldType, string>> = {
  id: "tns:ID",
  reference: "tns:ID",
  boolean: "xsd:boolean",
  int: "xsd:int",
  double: "xsd:double",
  currency: "xsd:double",
  percent: "xsd:double",
  date: "xsd:date",
  datetime: "xsd:dateTime",
  address: "urn:address",
};

export function describeGlobal(schema: OrgSchema, base: string) {
  return {
    encoding: "UTF-8",
    maxBatchSize: 200,
    sobjects: [...schema.values()].map((object) => summary(object, base)),
  };
}

export function describeObject(schema: OrgSchema, object: ObjectDef, base: string) {
  return {
    actionOverrides: [],
    ...summary(object, base),
    childRelationships: childRelationships(schema, object),
    compactLayoutable: true,
    fields: object.fields.map(describeField),
    listviewable: null,
    lookupLayoutable: null,
    namedLayoutInfos: [],
    networkScopeFieldName: null,
    recordTypeInfos: [masterRecordType(object, base)],
    searchLayoutable: true,
    supportedScopes: [{ label: `All ${object.labelPlural.toLowerCase()}`, name: "everything" }],
  };
}

function summary(object: ObjectDef, base: string) {
  const { writable } = object;
  const path = `${base}/sobjects/${object.name}`;
  return {
    activateable: false,
    createable: writable,
    custom: false,
    customSetting: false,
    deepCloneable: false,
    deletable: writable,
    deprecatedAndHidden: false,
    feedEnabled: writable,
    hasSubtypes: false,
    isInterface: false,
    isSubtype: false,
    keyPrefix: object.keyPrefix,
    label: object.label,
    labelPlural: object.labelPlural,
    layoutable: writable,
    mergeable: object.mergeable,
    mruEnabled: writable,
    name: object.name,
    queryable: true,
    replicateable: writable,
    retrieveable: true,
    searchable: writable,
    triggerable: writable,
    undeletable: writable,
    updateable: writable,
    urls: { sobject: path, describe: `${path}/describe`, rowTemplate: `${path}/{ID}` },
  };
}

function childRelationships(schema: OrgSchema, parent: ObjectDef) {
  return [...schema.values()].flatMap((child) =>
    child.fields
      .filter((field) => field.referenceTo === parent.name)
      .map((field) => ({
        cascadeDelete: field.cascadeDelete,
        childSObject: child.name,
        deprecatedAndHidden: false,
        field: field.name,
        junctionIdListNames: [],
        junctionReferenceTo: [],
        relationshipName: field.name === "AccountId" ? child.labelPlural : null,
        restrictedDelete: false,
      })),
  );
}

function masterRecordType(object: ObjectDef, base: string) {
  return {
    active: true,
    available: true,
    defaultRecordTypeMapping: true,
    developerName: "Master",
    master: true,
    name: "Master",
    recordTypeId: "012000000000000AAA",
    urls: { layout: `${base}/sobjects/${object.name}/describe/layouts/012000000000000AAA` },
  };
}

/** Keys that are the same for every field of these objects. */
const PLAIN_FIELD = {
  aiPredictionField: false,
  autoNumber: false,
  calculatedFormula: null,
  caseSensitive: false,
  controllerName: null,
  defaultValueFormula: null,
  dependentPicklist: false,
  deprecatedAndHidden: false,
  displayLocationInDecimal: false,
  encrypted: false,
  filteredLookupInfo: null,
  formulaTreatNullNumberAsZero: false,
  highScaleNumber: false,
  htmlFormatted: false,
  inlineHelpText: null,
  mask: null,
  maskType: null,
  namePointing: false,
  polymorphicForeignKey: false,
  referenceTargetField: null,
  relationshipOrder: null,
  restrictedDelete: false,
  searchPrefilterable: false,
  writeRequiresMasterRead: false,
};

function describeField(field: FieldDef) {
  const { parts: _parts, picklist, referenceTo, ...own } = field;
  const plainValue = field.type !== "textarea" && field.type !== "address";
  return {
    ...PLAIN_FIELD,
    ...own,
    aggregatable: plainValue,
    byteLength: field.type === "id" || field.type === "reference" ? 18 : field.length * 3,
    defaultValue: field.type === "boolean" ? false : null,
    digits: field.type === "int" ? 8 : 0,
    extraTypeInfo: extraTypeInfo(field),
    filterable: plainValue,
    groupable: plainValue && field.type !== "currency",
    idLookup: field.type === "id" || field.externalId || field.type === "email",
    permissionable: field.createable && field.nillable,
    picklistValues: picklist.map((option) => ({ ...option, active: true, defaultValue: false, validFor: null })),
    queryByDistance: field.type === "address",
    referenceTo: referenceTo === null ? [] : [referenceTo],
    soapType: SOAP_TYPES[field.type] ?? "xsd:string",
    sortable: plainValue,
  };
}

function extraTypeInfo(field: FieldDef): string | null {
  if (field.name === "FirstName" || field.name === "LastName") return "personname";
  return field.type === "textarea" ? "plaintextarea" : null;
}
