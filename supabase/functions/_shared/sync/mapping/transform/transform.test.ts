import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Misfit } from "../text.ts";
import { checkTransform, openTransforms, TRANSFORM_LIMITS, TransformFailure, type Transforms } from "./index.ts";

/** Generous: what is asserted is what comes of an expression. The meter counts work, not time. */
const SECOND = 1_000;
const opened: Transforms[] = [];
afterAll(() => {
  for (const one of opened) one.close();
});

async function open(...sources: string[]) {
  const rows = sources.map((transform_function) => ({ transform_function }));
  const transforms = await openTransforms(rows);
  opened.push(transforms);
  return { transforms, rows };
}

async function evaluate(source: string, value: unknown = null, record: Record<string, unknown> = {}) {
  const { transforms, rows } = await open(source);
  return transforms.apply(rows[0] ?? {}, value, record);
}

const why = (result: unknown) =>
  result instanceof TransformFailure ? result.why : `no failure: ${JSON.stringify(result)}`;

describe("an expression over value and record", () => {
  it.each<[string, unknown, Record<string, unknown>, unknown]>([
    ["value", "as it is", {}, "as it is"],
    ["value.trim().toUpperCase()", " abc ", {}, "ABC"],
    ["record.FirstName + ' ' + record.LastName", null, { FirstName: "Ada", LastName: "Byron" }, "Ada Byron"],
    ['record["Annual Revenue"] / 1000', null, { "Annual Revenue": 5000 }, 5],
    ["value === 'Hot' ? 100 : 20", "Hot", {}, 100],
    ["({ Hot: 'high', Cold: 'low' })[value] ?? 'normal'", "Warm", {}, "normal"],
    ["value.split(/[,;]\\s*/).filter(Boolean).sort()", "b, a;c", {}, ["a", "b", "c"]],
    ["value?.toLowerCase()", null, {}, null],
    ["record.Missing", "x", {}, null],
    ["({ street: record.Street, none: undefined })", null, { Street: "1 Way" }, { street: "1 Way" }],
    ["new Date(value)", "2026-01-02T03:04:05Z", {}, "2026-01-02T03:04:05.000Z"],
    ["new Date(value).toISOString().slice(0, 10)", "2026-01-02T03:04:05Z", {}, "2026-01-02"],
    ["Math.round(value * 100) / 100", 1.239, {}, 1.24],
    ["(() => { let sum = 0; for (const n of value) sum += n; return sum })()", [1, 2, 3], {}, 6],
    ["value // with a remark", 7, {}, 7],
    ["1, 2", 0, {}, 2],
  ])("%s", async (source, value, record, expected) => {
    expect(await evaluate(source, value, record)).toEqual(expected);
  });

  it("leaves a value alone where a mapping has no transform, and loads nothing", async () => {
    const transforms = await openTransforms([{ transform_function: null }, {}]);
    expect(transforms.apply({}, { a: 1 }, {})).toEqual({ a: 1 });
  });

  it("answers the same each time: there is no now and no chance", async () => {
    expect(why(await evaluate("new Date()"))).toContain("Date needs an argument");
    expect(why(await evaluate("Date.now()"))).toContain("not a function");
    expect(why(await evaluate("Math.random()"))).toContain("not a function");
  });

  it("gives what JavaScript gives", async () => {
    const sources = [
      "value.length",
      "value.split('').reverse().join('')",
      "value.replace(/[^a-z]+/gi, '-').toLowerCase()",
      "value.padStart(12, '0').slice(-5)",
      "[...value].map((c) => c.codePointAt(0)).filter((n) => n % 2 === 0)",
      "record.n * 3 + value.length",
      "Math.max(record.n, 10) | 0",
      "(record.n / 7).toFixed(3)",
      "record.list.map((n, at) => n * at).concat(value)",
      "[...record.list].sort((a, b) => a - b)",
      "record.list.includes(record.n) ? value : [record.n, String(record.n), record.list.indexOf(0)]",
      "JSON.stringify({ value, n: record.n })",
      "Object.fromEntries(Object.entries({ value, n: record.n }).map(([key, one]) => [key + key, one]))",
      "encodeURIComponent(value.replace(/[\\uD800-\\uDFFF]/g, ''))",
      "value.trim() || null",
      "new Set(record.list).size + new Map([[value, 1]]).get(value)",
      "((n) => { let f = 1; for (let at = 2; at <= n % 15; at += 1) f *= at; return f })(Math.abs(record.n))",
    ];
    const { transforms, rows } = await open(...sources);
    const natives = sources.map((source) => new Function("value", "record", `"use strict"; return (${source});`));
    const record = fc.record({
      n: fc.integer(),
      list: fc.array(fc.integer({ min: -1000, max: 1000 }), { maxLength: 20 }),
    });
    const which = fc.nat({ max: sources.length - 1 });
    fc.assert(
      fc.property(which, fc.string({ unit: "grapheme", maxLength: 30 }), record, (index, value, fields) => {
        const expected: unknown = JSON.parse(JSON.stringify(natives[index]?.(value, fields)));
        expect(transforms.apply(rows[index] ?? {}, value, fields)).toEqual(expected);
      }),
      { seed: 20261121, numRuns: 2_000 },
    );
  }, 30_000);
});

describe("an expression that fails is the failure of one record", () => {
  it.each([
    ["a mistake", "value.nothing.more", "the expression failed: TypeError: cannot read property 'more' of undefined"],
    ["an error of its own", "(() => { throw new Error('No ' + value) })()", "the expression failed: Error: No x"],
    ["a thrown object", "(() => { throw { message: 1 } })()", "it threw something that is not an error"],
    ["an error that sets a trap", "(() => { throw { get message() { for (;;); } } })()", "not an error"],
    [
      "an error whose name throws",
      "(() => { const e = new Error(); Object.defineProperty(e, 'name', { get() { throw e } }); throw e })()",
      "could not be carried through",
    ],
    ["no number", "Number(value)", "gave NaN"],
    ["a function", "() => value", "gave something that is not a text"],
    ["a regular expression", "/a/", "gave something that is not a text"],
    ["a Map in a list", "[new Map()]", "gave something that is not a text"],
    ["a BigInt", "10n", "gave something that is not a text"],
    ["a promise", "(async () => value)()", "the expression failed"],
    ["an import", "import('node:fs')", "the expression failed"],
    ["a circle", "(() => { const a = {}; a.a = a; return a })()", "contains itself"],
    ["a long text", "'x'.repeat(40000)", "gave more than 32768 characters"],
    ["a long list", "new Array(1e9)", "gave a list that is too long"],
    ["a date that is none", "new Date('soon')", "the expression failed: RangeError"],
  ])("%s", async (_name, source, sentence) => {
    const result = await evaluate(source, "x");
    expect(result).toBeInstanceOf(Misfit);
    expect(result).toMatchObject({ code: "transform_failed" });
    expect(why(result)).toContain(sentence);
  });

  it.each([
    ["a statement", "return value"],
    ["an end of brackets", "1); (2"],
    ["an end of other brackets", "1], [2"],
    ["an end of both", "1)]; [(2"],
    ["a loop", "for (;;);"],
    ["nothing", "  "],
    ["only a remark", "// value"],
    ["an open text", "'abc"],
    ["an open remark", "value /* "],
    ["a declaration", "let a = 1"],
    ["a regular expression that is none", "/(/"],
    ["ten thousand brackets", `${"(".repeat(10_000)}1${")".repeat(10_000)}`],
  ])("%s is no expression, and says so before it is used", async (_name, source) => {
    expect(await checkTransform(source)).toMatchObject({
      ok: false,
      message: expect.stringContaining("not a JavaScript"),
    });
    const { transforms, rows } = await open(source, "value");
    expect(why(transforms.apply(rows[0] ?? {}, 1, {}))).toContain("is not valid");
    expect(transforms.apply(rows[1] ?? {}, 1, {})).toBe(1);
  });

  it("an expression that is one passes the check", async () => {
    expect(await checkTransform("value ?? record.Name")).toEqual({ ok: true });
  });

  it("shows no more of the CRM's data than an excerpt", async () => {
    const result = await evaluate("(() => { throw new Error(value) })()", "secret ".repeat(1_000));
    expect(why(result).length).toBeLessThan(250);
  });
});

const ENDLESS = "(() => { for (;;); })()";
const ATTACKS: Record<string, string> = {
  "an endless loop": ENDLESS,
  "an endless loop that catches": "(() => { for (;;) try { for (;;); } catch {} })()",
  "an endless generator": "[...(function* () { for (;;) yield 1 })()]",
  "endless recursion": "(function f() { return f() })()",
  "recursion that branches": "(function f(n) { return n ? f(n - 1) + f(n - 1) : 1 })(60)",
  "a search in an array of four billion": "new Array(2 ** 32 - 2).indexOf(3)",
  "a search in something that claims a length": "[].indexOf.call({ length: 2 ** 53 - 1 }, 1)",
  "a join of four billion": "new Array(2 ** 32 - 2).join()",
  "a list from something that claims a length": "Array.from({ length: 1e9 })",
  "a sort of something that claims a length": "[].sort.call({ length: 2 ** 53 - 1 })",
  "reversing something that claims a length": "[].reverse.call({ length: 2 ** 53 - 1 })",
  "a raw text that claims a length": "String.raw({ raw: { length: 2 ** 53 - 1 } })",
  "a search of a long text in a long text": "'a'.repeat(2e6).indexOf('a'.repeat(1e6) + 'b')",
  "comparing long texts again and again":
    "(() => { const a = 'a'.repeat(1e6), b = 'a'.repeat(1e6); for (;;) if (a !== b) return 1 })()",
  "long texts as keys": "(() => { const o = {}; for (let n = 0; ; n += 1) o['a'.repeat(1e6) + n] })()",
  "sorting texts that begin alike":
    "(() => { const t = 'a'.repeat(1e5); return Array.from({ length: 5e4 }, (_, n) => t + n % 2).sort() })()",
  "reading long numbers": "(() => { const t = '9'.repeat(1e6); for (;;) if (Number(t) < 0) return 1 })()",
  "a power of BigInt": "String(9n ** 9999999n)",
  "a product of BigInts": "(() => { let n = 3n; for (;;) n *= n })()",
  "a regular expression that backtracks": "/^(a+)+$/.test('a'.repeat(40) + 'b')",
  "nested stars": "/((((((((((a*)*)*)*)*)*)*)*)*)*)*b/.test('a'.repeat(300))",
  "a replacement that grows": "(() => { let t = 'aa'; for (;;) t = t.replaceAll('a', t) })()",
  "a text that doubles": "(() => { let t = 'a'; for (;;) t += t })()",
  "padding without end": "'a'.padEnd(2 ** 30 - 1)",
  "splitting again and again": "(() => { const t = 'a'.repeat(1e5); for (;;) t.split('') })()",
  "lists in lists": "(() => { let a = []; for (let n = 0; n < 50000; n += 1) a = [a]; return JSON.stringify(a) })()",
  "a deep list as text": "(() => { let a = []; for (let n = 0; n < 50000; n += 1) a = [a]; return String(a) })()",
  "a deep list flattened":
    "(() => { let a = []; for (let n = 0; n < 50000; n += 1) a = [a]; return a.flat(Infinity).length === 1 ? null.x : null.y })()",
  "JSON that is deep": "JSON.parse('['.repeat(1e5))",
  "a graph that unfolds":
    "(() => { let a = [1]; for (let n = 0; n < 11; n += 1) a = [a, a, a, a, a, a, a, a]; return a })()",
  "a getter that never ends": "({ get a() { for (;;); } })",
  "a toString that calls itself": "(() => { const q = { toString() { return String(this) } }; return String(q) })()",
  "a toJSON that never ends": "JSON.stringify({ toJSON() { for (;;); } })",
  "a length that never ends": "[].concat.apply([], { get length() { for (;;); } })",
  "memory in a circle": "(() => { const a = []; a.push(a); for (;;) a.push([a]) })()",
  "the constructor of functions": "(() => {}).constructor('return 1')()",
  "the constructor of generators": "(function* () {}).constructor('yield 1')().next().value.x",
  eval: "eval('1')",
  "eval by another name": "(0, eval)('1')",
  Function: "Function('return 1')()",
  "a global of the host": "process.exit(1)",
  Deno: "Deno.env.toObject()",
  fetch: "fetch('https://example.com')",
  "a timer": "setTimeout(() => {}, 1)",
  "a global of its own": "(leak = 1)",
  "writing over a built-in": "(String.prototype.trim = () => 'stolen')",
  "writing to every object": "(Object.prototype.stolen = 'x')",
  "writing to every list by __proto__": "([].__proto__.stolen = 'x')",
  "writing to every function": "((() => {}).__proto__.stolen = 'x')",
  "redefining a built-in": "Object.defineProperty(JSON, 'parse', { value: () => 'stolen' })",
  "another prototype for all lists": "Object.setPrototypeOf(Array.prototype, { stolen: 1 })",
};

describe("an attack", () => {
  let transforms: Transforms;
  const probe = {
    transform_function:
      "typeof leak === 'undefined' && ({}).stolen === undefined && [].stolen === undefined && (() => {}).stolen === undefined && value.trim() + JSON.parse('1')",
  };
  const rowOf = (name: string) => ({ transform_function: ATTACKS[name] ?? "" });

  beforeAll(async () => {
    const limits = { ...TRANSFORM_LIMITS, budget: Number.POSITIVE_INFINITY };
    transforms = await openTransforms([probe, ...Object.keys(ATTACKS).map(rowOf)], limits);
    expect(transforms.apply(probe, " fine ", {})).toBe("fine1");
  }, 30_000);
  afterAll(() => transforms.close());

  it.each(Object.keys(ATTACKS))(
    "%s: fails within a second, and the next record is fine",
    { timeout: 20 * SECOND },
    (name) => {
      const began = process.cpuUsage();
      const result = transforms.apply(rowOf(name), "x", {});
      const spent = process.cpuUsage(began).user / 1_000;
      expect(result).toBeInstanceOf(TransformFailure);
      expect(why(result)).not.toContain("is not valid");
      expect(spent).toBeLessThan(SECOND);
      expect(transforms.apply(probe, " fine ", {})).toBe("fine1");
    },
  );

  it("finds nothing of the host among its globals", async () => {
    expect(await evaluate("(0, function () { return typeof this })()")).toBe("undefined");
    const found = (await evaluate("Object.getOwnPropertyNames(this)")) as string[];
    expect(found).toEqual(expect.arrayContaining(["Object", "Math"]));
    for (const name of [
      "globalThis",
      "eval",
      "Function",
      "Proxy",
      "Reflect",
      "Promise",
      "Symbol",
      "ArrayBuffer",
      "console",
      "Iterator",
    ])
      expect(found).not.toContain(name);
  });
});

describe("work is metered", () => {
  it.each([
    ["much at once", "(() => { const a = { t: Array(12).fill('x'.repeat(5e5)).join('') }; a.a = a; return 1 })()"],
    ["a little each time", "(() => { const a = { t: Array(5).fill('x'.repeat(2e4)).join('') }; a.a = a; return 1 })()"],
  ])("garbage takes no room from the records that follow: %s", async (_name, greedy) => {
    const { transforms, rows } = await open(greedy);
    for (let record = 0; record < 100; record += 1) expect(transforms.apply(rows[0] ?? {}, null, {})).toBe(1);
  });

  it("memory has an end that no expression moves", async () => {
    const hoard =
      "(() => { const all = []; for (let n = 0; n < 60; n += 1) all.push(Array(9).fill('x'.repeat(5e4)).join('') + n); return all.length })()";
    expect(why(await evaluate(hoard))).toContain("out of memory");
  });

  it("what all records together may spend is bounded too", async () => {
    const rows = [{ transform_function: ENDLESS }, { transform_function: "value" }];
    const limits = { ...TRANSFORM_LIMITS, fuel: 1_000_000, enough: 1_500_000, budget: 3_000_000 };
    const transforms = await openTransforms(rows, limits);
    const sentences = [1, 2, 3, 4].map(() => [why(transforms.apply(rows[0] ?? {}, 1, {})), transforms.tired()]);
    expect(sentences.map(([, tired]) => tired)).toEqual([false, true, true, true]);
    expect(sentences.map(([sentence]) => String(sentence).includes("too much work"))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(why(transforms.apply(rows[1] ?? {}, 1, {}))).toContain("used up what one pass may spend");
  });

  it("ten thousand calls of a simple expression are within the budget, and none fails", async () => {
    const { transforms, rows } = await open("value.trim().toUpperCase() + record.Suffix");
    let right = 0;
    for (let call = 0; call < 10_000; call += 1)
      if (transforms.apply(rows[0] ?? {}, ` n${call} `, { Suffix: "!" }) === `N${call}!`) right += 1;
    expect(right).toBe(10_000);
    expect(transforms.tired()).toBe(false);
  }, 60_000);
});

describe("the fields an expression uses", () => {
  it.each([
    ["record.Name", ["Name"]],
    ["record?.Name + record [ 'Last Name' ]", ["Name", "Last Name"]],
    ['record["a__c"] || record?.["b"] || record.a__c', ["a__c", "b"]],
    ["recorder.Name + my_record.Other", []],
    ["record[value]", []],
    ["record\n  .Straße", ["Straße"]],
    ["value", []],
  ])("%s", async (transform_function, expected) => {
    const transforms = await openTransforms([]);
    expect(transforms.fieldsUsed({ transform_function }).sort()).toEqual(expected.sort());
  });
});
