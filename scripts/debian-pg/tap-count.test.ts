import { expect, test } from "vitest";
import { TapCount } from "./tap-count.ts";

function count(output: string) {
  const shown: string[] = [];
  const tap = new TapCount((line) => shown.push(line));
  for (const line of output.split("\n")) tap.take(line);
  return { passed: tap.passed, failed: tap.failed, shown };
}

test("a file that passes leaves only its name", () => {
  expect(count("a.test.sql .. \nok 1 - one\nok 2 - two\n1..2\nok\n")).toEqual({
    passed: 2,
    failed: 0,
    shown: ["a.test.sql .. "],
  });
});

test("a failure is counted and shown with its reasons", () => {
  expect(count("ok 1 - one\nnot ok 2 - two\n# Failed test 2\n1..2")).toEqual({
    passed: 1,
    failed: 1,
    shown: ["not ok 2 - two", "# Failed test 2"],
  });
});

test("what is to do may fail, what is skipped may not", () => {
  const output = "not ok 1 - later # TODO not yet\nok 2 # SKIP no network";
  expect(count(output)).toEqual({ passed: 1, failed: 1, shown: ["ok 2 # SKIP no network"] });
});

test("assertions of a subtest count once, as their parent", () => {
  expect(count("    ok 1 - inner\n    not ok 2 - inner\nnot ok 1 - outer")).toMatchObject({ passed: 0, failed: 1 });
});
