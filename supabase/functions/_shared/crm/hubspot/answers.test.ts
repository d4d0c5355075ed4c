import { describe, expect, it } from "vitest";
import { failed, type WriteError, written } from "../batch.ts";
import { type BatchError, existingId, readBatch } from "./answers.ts";
import { existingIdIn, readRefusal } from "./refusals.ts";

interface Result {
  id: string;
  trace?: string;
}

const read = (keys: string[], results: Result[], errors: BatchError[] = []) =>
  readBatch(
    keys,
    { results, errors },
    {
      namesOf: (key: string) => [key],
      namesIn: ({ trace }: Result) => [trace],
      done: (key, { id }) => written(key, id),
      refused: (key, error) => failed(key, error),
    },
  );
const packed = (faults: object[]) => `Property values were not valid: ${JSON.stringify(faults)}`;

describe("HubSpot's answer to a batch", () => {
  it("finds each result and each error by its trace id, in any order", () => {
    const results = [
      { id: "2", trace: "b" },
      { id: "1", trace: "a" },
    ];
    const errors = [{ category: "VALIDATION_ERROR", message: "bad", context: { objectWriteTraceId: ["c"] } }];
    expect(read(["a", "b", "c"], results, errors)).toMatchObject([
      { key: "a", outcome: "written", id: "1" },
      { key: "b", outcome: "written", id: "2" },
      { key: "c", outcome: "failed", error: { kind: "rejected", code: "VALIDATION_ERROR" } },
    ]);
  });

  it("spreads an error that lists several ids, and one that names nobody over all that are left", () => {
    const listed = [{ category: "OBJECT_NOT_FOUND", message: "x", context: { ids: ["a", "b"] } }];
    expect(read(["a", "b"], [], listed).map(({ error }) => error?.code)).toEqual([
      "OBJECT_NOT_FOUND",
      "OBJECT_NOT_FOUND",
    ]);
    const contexts: BatchError["context"][] = [{}, { propertyName: ["email"] }, undefined];
    for (const context of contexts) {
      const nameless = [{ category: "VALIDATION_ERROR", message: "x", context }];
      expect(read(["a", "b"], [{ id: "1", trace: "a" }], nameless)).toMatchObject([
        { outcome: "written" },
        { outcome: "failed", error: { code: "VALIDATION_ERROR" } },
      ]);
    }
  });

  it("leaves open what became of a record without a word about it", () => {
    const [result] = read(["a"], []);
    expect(result).toMatchObject({ outcome: "failed", error: { kind: "transient", code: "malformed_answer" } });
    expect(() => readBatch(["a"], {}, {} as never)).toThrow("cannot be read");
  });
});

describe("what HubSpot refuses about a record", () => {
  it.each([
    ["PROPERTY_DOESNT_EXIST", /does not have the property “colour”/],
    ["READ_ONLY_VALUE", /lets nobody change the property “colour”/],
    ["INVALID_OPTION", /does not offer this choice for the property “colour”/],
    ["INVALID_EMAIL", /e-mail address/],
    ["NEVER_SEEN", /refused “colour”: Some words/],
  ])("%s names the field, whether listed or packed into the message", (code, sentence) => {
    const listed = [{ message: "Some words", code, context: { propertyName: ["colour"] } }];
    const inMessage = packed([{ isValid: false, message: "Some words", error: code, name: "colour" }]);
    for (const refusal of [
      readRefusal({ category: "VALIDATION_ERROR", message: "x", errors: listed }),
      readRefusal({ category: "VALIDATION_ERROR", message: inMessage, errors: [] }),
    ]) {
      expect(refusal).toMatchObject({ kind: "rejected", code, field: "colour" });
      expect(refusal.userMessage).toMatch(sentence);
    }
  });

  it("says something for a message that was cut off, and waits where waiting helps", () => {
    const cut = packed([{ error: "INVALID_EMAIL", name: "email" }]).slice(0, 45);
    expect(readRefusal({ category: "VALIDATION_ERROR", message: cut, errors: [] })).toMatchObject({ kind: "rejected" });
    expect(readRefusal({ category: "INTERNAL_ERROR", message: "x", errors: [] })).toMatchObject({ kind: "transient" });
  });

  it("finds the id of the record that exists", () => {
    expect(existingIdIn("Contact already exists. Existing ID: 123")).toBe("123");
    expect(existingIdIn("Cannot set PropertyValueCoordinates{…} on 4. 56 already has that value.")).toBe("56");
    expect(existingIdIn("Contact already exists.")).toBeNull();
    expect(existingId({ cause: { existingId: "7" } } as WriteError)).toBe("7");
    expect(existingId({ cause: "7" } as WriteError)).toBeNull();
  });
});
