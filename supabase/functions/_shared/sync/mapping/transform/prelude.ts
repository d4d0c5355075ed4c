/**
 * Runs once inside the sandbox, before any expression. It takes away what an expression has no use for, makes the rest
 * unchangeable so that nothing stays behind for the next record, and answers the function that calls an expression.
 *
 * The answer of a call is a text: "=" and JSON, or "!" and the end of a sentence about what went wrong. What is slow or large
 * needs no guard here: the meter and the memory limit see to that.
 */
export const PRELUDE = `"use strict"; (({ maxDepth, maxChars, maxWords }) => {
  const { parse, stringify } = JSON;
  const { getPrototypeOf, getOwnPropertyDescriptor, prototype: plainObject, keys, freeze } = Object;
  const namesOf = (one) => [...Object.getOwnPropertyNames(one), ...Object.getOwnPropertySymbols(one)];
  const { isArray } = Array;
  const isFiniteNumber = Number.isFinite;
  const RealDate = Date;
  const { toISOString } = RealDate.prototype;

  const withoutNow = () => {
    function GivenDate(...given) {
      if (given.length === 0) throw new Error("Date needs an argument, because an expression has to answer the same each time");
      const date = new RealDate(...given);
      return new.target ? date : date.toString();
    }
    GivenDate.prototype = RealDate.prototype;
    GivenDate.UTC = RealDate.UTC;
    GivenDate.parse = RealDate.parse;
    RealDate.prototype.constructor = GivenDate;
    globalThis.Date = GivenDate;
    delete Math.random;
  };

  const functions = [() => {}, function* () {}];
  const iterators = [[].values(), ""[Symbol.iterator](), "".matchAll(/a/g), new Map().values(), new Set().values()];
  const withoutMakers = () => {
    for (const one of functions) delete getPrototypeOf(one).constructor;
  };

  const withoutGlobals = () => {
    const kept = ["Object", "Array", "String", "Number", "Boolean", "Math", "JSON", "RegExp", "Map", "Set", "Date", "Error",
      "TypeError", "RangeError", "SyntaxError", "parseInt", "parseFloat", "isNaN", "isFinite", "encodeURIComponent",
      "decodeURIComponent", "encodeURI", "decodeURI", "undefined", "NaN", "Infinity"];
    const own = globalThis;
    for (const name of namesOf(own)) if (!kept.includes(name)) delete own[name];
    return own;
  };

  const frozen = new Set();
  const freezeAll = (one) => {
    if (one === null || (typeof one !== "object" && typeof one !== "function") || frozen.has(one)) return;
    frozen.add(one);
    freezeAll(getPrototypeOf(one));
    for (const name of namesOf(one)) {
      const { value, get, set } = getOwnPropertyDescriptor(one, name);
      [value, get, set].forEach(freezeAll);
    }
    freeze(one);
  };

  class Refusal {
    constructor(words) { this.words = words; }
  }
  const kindOf = (one) => {
    const prototype = getPrototypeOf(one);
    if (isArray(one)) return "array";
    if (one instanceof RealDate) return "date";
    return prototype === plainObject || prototype === null ? "object" : "other";
  };
  const plainOf = {
    array: (one, depth) => {
      if (one.length > maxChars) throw new Refusal("gave a list that is too long");
      const copy = [];
      for (let at = 0; at < one.length; at += 1) copy[at] = plain(one[at], depth);
      return copy;
    },
    date: (one) => toISOString.call(one),
    object: (one, depth) => {
      const copy = { __proto__: null };
      for (const key of keys(one)) if (one[key] !== undefined) copy[key] = plain(one[key], depth);
      return copy;
    },
    other: () => { throw new Refusal("gave something that is not a text, number, yes or no, date, list or plain object"); },
  };
  const plain = (one, depth) => {
    if (one === null || one === undefined) return null;
    if (typeof one === "string" || typeof one === "boolean") return one;
    if (typeof one === "number") {
      if (!isFiniteNumber(one)) throw new Refusal("gave " + one + ", which is not a number that can be stored");
      return one;
    }
    if (typeof one !== "object") return plainOf.other();
    if (depth === 0) throw new Refusal("gave something that is nested too deeply, or contains itself");
    return plainOf[kindOf(one)](one, depth - 1);
  };

  const answer = (expression, input) => {
    const { value, record } = parse(input);
    const text = stringify(plain(expression(value, record), maxDepth));
    if (text.length > maxChars) throw new Refusal("gave more than " + maxChars + " characters");
    return "=" + text;
  };
  const wordsOf = (thrown) => {
    if (thrown instanceof Refusal) return thrown.words;
    if (thrown instanceof Error) return "failed: " + (thrown.name + ": " + thrown.message).slice(0, maxWords);
    return "failed: it threw something that is not an error";
  };
  const call = (expression, input) => {
    try {
      return answer(expression, input);
    } catch (thrown) {
      return "!" + wordsOf(thrown);
    }
  };

  withoutNow();
  withoutMakers();
  freezeAll(withoutGlobals());
  [...functions, ...iterators].forEach(freezeAll);
  [Refusal, plainOf].forEach(freezeAll);
  return call;
})`;
