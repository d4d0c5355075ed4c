import { expect, it } from "vitest";
import type { OutboundItem } from "../store.ts";
import { answered } from "./results.ts";

const ITEM: OutboundItem = {
  key: "key-1",
  version: "7",
  action: "update",
  crm_id: "c1",
  intent_at: null,
  values: { name: "Ours" },
  relations: {},
  match: {},
  verify: true,
  updated_at: null,
};
const SENT = { sent: { values: { name: "Ours" }, relations: {} }, problems: [] };

it("hands on when the CRM wrote a record, so that a later look at it as it was before is known as old", () => {
  const written = { key: "key-1", outcome: "written", id: "c1" } as const;
  const modifiedAt = "2026-11-21T10:00:00.123Z";
  expect(answered(ITEM, { ...written, modifiedAt }, SENT)).toMatchObject({ outcome: "written", modified: modifiedAt });
  expect(answered(ITEM, written, SENT)).not.toHaveProperty("modified");
});
