import { z } from "zod";
import { ENTITY_TYPES } from "../crm/contract.ts";

const about = { config_id: z.uuid(), entity_type: z.enum(ENTITY_TYPES) };

export const fieldsInput = z.object({
  ...about,
  /** Ask the CRM instead of showing what it described last. */
  refresh: z.boolean().default(false),
});

export const autoMapInput = z.object({
  ...about,
  /** Insert what is sure enough and collides with nothing. */
  apply: z.boolean().default(false),
  min_confidence: z.number().min(0).max(1).default(0.7),
});

/** A row of crm_field_mappings that need not be saved. One with a transform can be read only, so it cannot be tried otherwise. */
const mappingDraft = z
  .object({
    crm_field: z.string().min(1).max(255),
    app_field: z.string().min(1).max(255),
    data_type: z
      .enum(["string", "number", "boolean", "date", "datetime", "picklist", "array", "object", "email", "phone", "url"])
      .default("string"),
    sync_direction: z.enum(["push", "pull", "bidirectional", "none"]).optional(),
    is_required: z.boolean().default(false),
    transform_function: z.string().min(1).max(4000).nullish(),
  })
  .refine((row) => !row.transform_function || !["push", "bidirectional"].includes(row.sync_direction ?? "pull"), {
    path: ["sync_direction"],
    error: "A mapping with a transform can only be read from the CRM: leave sync_direction out, or set it to pull.",
  })
  .transform((row) => ({
    ...row,
    sync_direction: row.sync_direction ?? (row.transform_function ? ("pull" as const) : ("bidirectional" as const)),
  }));

export const previewInput = z.object({
  ...about,
  limit: z.int().min(1).max(20).default(5),
  /** Rows to try: each takes the place of the saved one with the same app_field, the others stay. */
  mappings: z.array(mappingDraft).max(200).default([]),
  /** Ids of ours or of the CRM; without them, the first records that the connection's filter lets through. */
  record_ids: z.array(z.string().min(1).max(64)).min(1).max(20).optional(),
});

export const checkTransformInput = z.object({
  expression: z.string().min(1).max(4000),
  /** What to try it on: the value of the mapped field, and fields of the CRM by name. */
  sample: z.object({ value: z.json().default(null), record: z.record(z.string(), z.json()).default({}) }).optional(),
});

export type FieldsInput = z.infer<typeof fieldsInput>;
export type AutoMapInput = z.infer<typeof autoMapInput>;
export type PreviewInput = z.infer<typeof previewInput>;
export type CheckTransformInput = z.infer<typeof checkTransformInput>;
