import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Canonical, canonicalJson } from "./canonicalJson.ts";
import { ENGINE_VERSION, inputsHash } from "./inputsHash.ts";

describe("the identity of a calculation", () => {
  it("is one text for one meaning (RFC 8785, 3.2.3)", () => {
    expect(canonicalJson({ b: [1, 2.5, 1e30, -0], a: { é: "\u20ac\n", c: undefined, A: null } })).toBe(
      '{"a":{"A":null,"é":"€\\n"},"b":[1,2.5,1e+30,0]}',
    );
  });

  it("refuses what is no JSON number", () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => canonicalJson([wrong])).toThrow(TypeError);
  });

  it("is SHA-256 of that text", async () => {
    const expected = createHash("sha256")
      .update(`{"engine_version":${ENGINE_VERSION},"inputs":{"seed":1}}`)
      .digest("hex");
    expect(await inputsHash({ seed: 1 })).toBe(expected);
  });

  it("says the same for the same JSON in another order, and reads back as it was", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 3 }), async (value) => {
        const given = value as Canonical;
        const turned = JSON.parse(JSON.stringify(given), (_, inner) =>
          isObject(inner) ? Object.fromEntries(Object.entries(inner).reverse()) : inner,
        ) as Canonical;
        expect(await inputsHash(turned)).toBe(await inputsHash(given));
        expect(JSON.parse(canonicalJson(given))).toEqual(JSON.parse(JSON.stringify(given)));
      }),
      { seed: 23 },
    );
  });
});

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
