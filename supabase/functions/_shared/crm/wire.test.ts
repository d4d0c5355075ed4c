import { describe, expect, it } from "vitest";
import { type CrmError, CrmFailure } from "./contract.ts";
import { hostRules } from "./hosts.ts";
import { createWire, type WireRequest, type WireResponse } from "./wire.ts";

type Answer = Response | Error;

function wireOver(answers: Answer[]) {
  const pauses: number[] = [];
  const sent: RequestInit[] = [];
  const wire = createWire({
    crm: "Testforce",
    hosts: hostRules(["api.example.com"], [], undefined),
    classify,
    deps: {
      env: {},
      now: () => new Date("2026-11-21T12:00:00Z"),
      sleep: async (ms) => void pauses.push(ms),
      fetch: async (_, init) => {
        sent.push(init ?? {});
        const answer = answers.shift() ?? new Error("one request too many");
        if (answer instanceof Error) throw answer;
        return answer;
      },
    },
  });
  return { wire, pauses, sent };
}

function classify({ status, headers }: WireResponse): CrmError {
  const retryAfterMs = headers["retry-after"] === undefined ? undefined : Number(headers["retry-after"]) * 1000;
  const kind = status === 429 ? "rate_limited" : status >= 500 ? "transient" : "rejected";
  return { kind, code: `http_${status}`, userMessage: `HTTP ${status}`, retryAfterMs };
}

const read: WireRequest = { method: "GET", url: "https://api.example.com/x", repeatable: true, family: "read" };
const write: WireRequest = {
  method: "POST",
  url: "https://api.example.com/token",
  body: "code=1",
  repeatable: false,
  family: "write",
};

async function failureOf(run: Promise<unknown>): Promise<CrmError> {
  const error = await run.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof CrmFailure) return error.detail;
  throw error;
}

describe("the way out to a CRM", () => {
  it("repeats a read after a passing fault, with growing pauses, and gives up after the third try", async () => {
    const { wire, pauses, sent } = wireOver([503, 503, 503, 200].map((status) => new Response("", { status })));
    expect(await failureOf(wire(read))).toMatchObject({ kind: "transient", code: "http_503" });
    expect(sent).toHaveLength(3);
    expect(pauses).toEqual([250, 1000]);
  });

  it("answers the read when the fault passes", async () => {
    const { wire } = wireOver([new TypeError("fetch failed"), new Response("fine")]);
    expect(await wire(read)).toMatchObject({ status: 200, text: "fine" });
  });

  it("never repeats what must happen once", async () => {
    const { wire, sent } = wireOver([new Response("", { status: 503 }), new Response("fine")]);
    expect(await failureOf(wire(write))).toMatchObject({ kind: "transient" });
    expect(sent).toHaveLength(1);
  });

  it("sits out a short pause and hands a long one to the caller", async () => {
    const limited = (seconds: string) => new Response("", { status: 429, headers: { "retry-after": seconds } });
    const short = wireOver([limited("1"), new Response("fine")]);
    expect((await short.wire(read)).text).toBe("fine");
    expect(short.pauses).toEqual([1000]);

    const long = wireOver([limited("10"), new Response("fine")]);
    expect(await failureOf(long.wire(read))).toMatchObject({ kind: "rate_limited", retryAfterMs: 10_000 });
    expect(long.pauses).toEqual([]);
  });

  it("does not repeat a refusal", async () => {
    const { wire, sent } = wireOver([new Response("", { status: 400 })]);
    expect(await failureOf(wire(read))).toMatchObject({ kind: "rejected" });
    expect(sent).toHaveLength(1);
  });

  it("says when the CRM cannot be reached or is silent", async () => {
    expect(await failureOf(wireOver([new TypeError("refused")]).wire(write))).toMatchObject({ code: "network_error" });
    const silent = wireOver([new DOMException("timed out", "TimeoutError")]);
    const error = await failureOf(silent.wire(read));
    expect(error).toMatchObject({ kind: "transient", code: "timeout" });
    expect(error.userMessage).toContain("Testforce did not answer within 30 seconds");
    expect(silent.sent).toHaveLength(1);
  });

  it("does not follow a redirect, which would carry the token elsewhere", async () => {
    const { wire, sent } = wireOver([new Response("", { status: 302, headers: { location: "https://evil.example" } })]);
    expect(await failureOf(wire(read))).toMatchObject({ code: "http_302" });
    expect(sent[0]?.redirect).toBe("manual");
  });

  it("sends nothing to a host that is not allowed, nor an address longer than any CRM takes", async () => {
    const { wire, sent } = wireOver([]);
    expect(await failureOf(wire({ ...read, url: "https://evil.example/x" }))).toMatchObject({
      code: "host_not_allowed",
    });
    const url = `https://api.example.com/x?q=${"a".repeat(16_000)}`;
    expect(await failureOf(wire({ ...read, url }))).toMatchObject({ kind: "rejected", code: "request_too_long" });
    expect(sent).toHaveLength(0);
  });
});
