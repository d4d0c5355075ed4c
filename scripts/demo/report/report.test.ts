import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { levelOf, loadOf, loadText } from "./load.ts";
import { renderPage } from "./page.ts";
import { SAMPLE } from "./sample.ts";
import { monthName, shortMoney } from "./words.ts";

const pageOf = (report = SAMPLE) => parseHTML(renderPage(report)).document;
const texts = (root: ParentNode | null, selector: string) =>
  [...(root?.querySelectorAll(selector) ?? [])].map(({ textContent }) => textContent ?? "");
const chart = (name: string) => pageOf().querySelector(`section[aria-labelledby="${name}"]`);

describe("the report", () => {
  it("is the same text for the same numbers", () => {
    expect(renderPage(SAMPLE)).toBe(renderPage(structuredClone(SAMPLE)));
  });

  it("brings everything along: it names no address and runs no script", () => {
    const html = renderPage(SAMPLE);
    expect(html).toContain("<svg");
    expect(html).not.toMatch(/https?:|\/\/\w|<script|url\(|@import|\son\w+=/i);
  });

  it("writes names as text, never as markup", () => {
    const evil = structuredClone(SAMPLE);
    for (const stage of evil.funnel) stage.label = `${stage.label} <img src=x onerror=alert(1)>`;
    evil.title = "<script>alert(1)</script>";
    evil.capacity.skills[0] = { ...SAMPLE.capacity.skills[0], skill: "\"><svg onload='x'>" } as never;
    const document = pageOf(evil);
    expect(document.querySelectorAll("img, script, [onload], [onerror]")).toHaveLength(0);
    expect(texts(document, "h1")).toEqual(["<script>alert(1)</script>"]);
  });

  it("each chart says what it is to those who cannot see it, and is a table as well", () => {
    for (const name of ["funnel", "forecast", "capacity"]) {
      const section = chart(name);
      const svg = section?.querySelector('svg[role="img"]');
      expect(svg?.getAttribute("aria-label")?.length).toBeGreaterThan(10);
      expect(svg?.getAttribute("aria-description")?.length).toBeGreaterThan(10);
      expect(section?.querySelectorAll("tbody tr").length).toBeGreaterThan(1);
    }
  });

  it("the funnel has a bar and a number for each stage that has deals", () => {
    expect(chart("funnel")?.querySelectorAll('[aria-label="bar"] rect')).toHaveLength(5);
    expect(texts(chart("funnel"), '[aria-label="text"] text')).toEqual(["500", "1,589", "3", "4,238", "2,473"]);
  });

  it("the forecast has a band and a middle for each month, the band as high as P90 is above P10", () => {
    const section = chart("forecast");
    const [bands, closed, withNew] = [...(section?.querySelectorAll('[aria-label="bar"]') ?? [])];
    const heights = [...(bands?.querySelectorAll("rect") ?? [])].map((band) => Number(band.getAttribute("height")));
    expect(heights).toHaveLength(3);
    // P90 − P10 of the sample: 600, 640 and 680 thousand.
    expect((heights[1] as number) / (heights[0] as number)).toBeCloseTo(640 / 600, 3);
    expect((heights[2] as number) / (heights[0] as number)).toBeCloseTo(680 / 600, 3);
    expect(closed?.querySelectorAll("rect")).toHaveLength(3);
    expect(withNew?.querySelectorAll("rect")).toHaveLength(3);
    expect(section?.querySelectorAll('[aria-label="tick"] line')).toHaveLength(6);
    expect(section?.querySelectorAll('[aria-label="dot"] path')).toHaveLength(3);
  });

  it("leaves out what adding up says where no open deal has a closing day", () => {
    const periods = SAMPLE.forecast.periods.map((month) => ({ ...month, weighted: month.closed }));
    const document = pageOf({ ...SAMPLE, forecast: { ...SAMPLE.forecast, periods } });
    expect(document.querySelectorAll('[aria-label="dot"]')).toHaveLength(0);
    expect(texts(document, ".legend li").join()).not.toMatch(/probability/);
  });

  it("the heat map shows each week of a skill that is asked or there, in the colour of its load", () => {
    const section = chart("capacity");
    expect(texts(section, '[aria-label="text"] text')).toEqual(["50", "69", "94", "163", "88", "113", "∞"]);
    const fills = [...(section?.querySelectorAll('[aria-label="cell"] rect') ?? [])].map((cell) =>
      cell.getAttribute("fill"),
    );
    expect(fills).toEqual([0, 1, 2, 4, 2, 3, 4].map((level) => `var(--load-${level})`));
  });

  it("says so when nobody is missing", () => {
    const document = pageOf({ ...SAMPLE, hiring: [] });
    expect(texts(document, 'section[aria-labelledby="hiring"] p')).toEqual([
      "Nobody is missing for long enough to hire for.",
    ]);
  });

  it("is a page also when there is no deal, no month and nobody", () => {
    const forecast = {
      ...SAMPLE.forecast,
      periods: [],
      total: { p10: 0, p50: 0, p90: 0, withNew: { p10: 0, p50: 0, p90: 0 } },
    };
    const document = pageOf({ ...SAMPLE, funnel: [], forecast, capacity: { weeks: [], skills: [] }, hiring: [] });
    expect(document.querySelectorAll("svg")).toHaveLength(3);
    expect(document.toString()).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe("load", () => {
  it("is what is promised and asked for over what is there: (60 + 30) ÷ 80", () => {
    expect(loadOf({ capacity: 80, allocated: 60, demand: 30 })).toBeCloseTo(1.125);
    expect(loadOf({ capacity: 0, allocated: 0, demand: 1 })).toBe(Number.POSITIVE_INFINITY);
    expect(loadOf({ capacity: 0, allocated: 0, demand: 0 })).toBeNull();
  });

  it("a limit belongs to the level below it", () => {
    expect([0, 0.6, 0.61, 0.85, 1, 1.01, 1.2, 1.21, Number.POSITIVE_INFINITY].map(levelOf)).toEqual([
      0, 0, 1, 1, 2, 3, 3, 4, 4,
    ]);
    expect([null, 0.126, Number.POSITIVE_INFINITY].map(loadText)).toEqual(["", "13", "∞"]);
  });
});

describe("words", () => {
  it("money is short: three digits and a unit", () => {
    expect([0, 950, 1_240, 31_800, 318_000, 9_990_000].map((value) => shortMoney(value, "USD"))).toEqual([
      "$0",
      "$950",
      "$1.24k",
      "$31.8k",
      "$318k",
      "$9.99M",
    ]);
    expect(shortMoney(1_500_000, "EUR")).toBe("1.50M EUR");
  });

  it("a month has its name", () => {
    expect([monthName("2026-01"), monthName("2027-12")]).toEqual(["Jan 2026", "Dec 2027"]);
  });
});
