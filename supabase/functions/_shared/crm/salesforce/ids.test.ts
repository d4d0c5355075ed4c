import { expect, it } from "vitest";
import { id18, optionalId } from "./ids.ts";

it("gives a 15-character id its checksum", () => {
  expect(id18("00D50000000IZ3Z")).toBe("00D50000000IZ3ZEAW");
  expect(id18("00190000001pPvH")).toBe("00190000001pPvHAAU");
});

it("leaves an 18-character id as it is", () => {
  expect(id18("00190000001pPvHAAU")).toBe("00190000001pPvHAAU");
});

it("reads no id as null", () => {
  expect(optionalId(null)).toBeNull();
  expect(optionalId("")).toBeNull();
  expect(optionalId(undefined)).toBeNull();
});
