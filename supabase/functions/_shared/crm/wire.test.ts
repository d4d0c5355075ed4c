import { describe, expect, it } from "vitest";
import { type CallFamily, type CallReport, type CrmError, CrmFailure } from "./contract.ts";
import { hostRules } from "./hosts.ts";
import { createWire, type Limits, type WireRequest, type WireResponse } from "./wire.ts";

type Answer = Response | Error;

function wireOver(answers: Answer[], limits?: (headers: Record<string, string>) => Limits) {
  const pauses: number[] = [];
  const sent: RequestInit[] = [];
  const wire = createWire({
    crm: "Testforce",
    hosts: hostRules(["api.example.com"], [], undefined),
    classify,
    limits,
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

  it("sends again what was turned away for coming too often: that did nothing yet", async () => {
    const limited = new Response("", { status: 429, headers: { "retry-after": "1" } });
    const { wire, sent, pauses } = wireOver([limited, new Response("fine")]);
    expect((await wire(write)).text).toBe("fine");
    expect([sent.length, pauses]).toEqual([2, [1000]]);
  });
});

describe("the gate before every call", () => {
  function gateThat(enter: (family: CallFamily) => Promise<void> = async () => {}) {
    const entered: CallFamily[] = [];
    const reports: CallReport[] = [];
    const gate = {
      enter: (family: CallFamily) => {
        entered.push(family);
        return enter(family);
      },
      report: (report: CallReport) => void reports.push(report),
    };
    return { gate, entered, reports };
  }

  it("is entered for each attempt, and hears of each answer what its headers tell", async () => {
    const limits = (headers: Record<string, string>) => ({ windowRemaining: Number(headers.left) });
    const answers = [
      new Response("", { status: 503, headers: { left: "2" } }),
      new Response("", { status: 429, headers: { left: "0", "retry-after": "1" } }),
      new Response("fine", { headers: { left: "9" } }),
    ];
    const { gate, entered, reports } = gateThat();
    await wireOver(answers, limits).wire({ ...read, family: "search", gate });
    expect(entered).toEqual(["search", "search", "search"]);
    expect(reports).toEqual([
      { family: "search", status: 503, windowRemaining: 2 },
      { family: "search", status: 429, isTooMany: true, windowRemaining: 0, retryAfterMs: 1000 },
      { family: "search", status: 200, windowRemaining: 9 },
    ]);
  });

  it("keeps a call back that would come too early: nothing is sent", async () => {
    const tooEarly = new CrmFailure({
      kind: "rate_limited",
      code: "gate",
      userMessage: "Later.",
      retryAfterMs: 60_000,
    });
    const { gate, reports } = gateThat(() => Promise.reject(tooEarly));
    const { wire, sent } = wireOver([new Response("fine")]);
    expect(await failureOf(wire({ ...write, gate }))).toMatchObject({ kind: "rate_limited", code: "gate" });
    expect([sent, reports]).toEqual([[], []]);
  });

  it("hears nothing of a call that got no answer", async () => {
    const { gate, entered, reports } = gateThat();
    await failureOf(wireOver([new TypeError("fetch failed")]).wire({ ...write, gate }));
    expect([entered, reports]).toEqual([["write"], []]);
  });
});
